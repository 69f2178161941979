package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// TestVerifyHoldsEveryClaimAgainstTheData forges footers whose checksums are right.
func TestVerifyHoldsEveryClaimAgainstTheData(t *testing.T) {
	g := goldens(t)["plain"]
	g.options.KeyFilter = true
	_, object := sealed(t, g.data, g.id, g.options)
	f, err := ReadFooter(bytes.NewReader(object), int64(len(object)))
	if err != nil {
		t.Fatal(err)
	}
	footer := object[len(g.data):]
	be := binary.BigEndian
	at := func(section []byte) int { return bytes.Index(footer, section) }
	meta := at(g.id.Topic[:])
	for name, forge := range map[string]func(b []byte){
		"records":         func(b []byte) { b[meta+47]++ },
		"batches":         func(b []byte) { b[meta+55]++ },
		"min timestamp":   func(b []byte) { b[meta+63]++ },
		"lower min":       func(b []byte) { b[meta+63]-- },
		"max timestamp":   func(b []byte) { b[meta+71]++ },
		"next offset":     func(b []byte) { b[meta+39]++ },
		"has control":     func(b []byte) { b[meta+75] ^= 1 },
		"has gaps":        func(b []byte) { b[meta+75] ^= 2 },
		"index offset":    func(b []byte) { b[at(f.offsets)+8+3]++ },
		"index position":  func(b []byte) { b[at(f.offsets)+8+7]++ },
		"last index":      func(b []byte) { b[at(f.offsets)+len(f.offsets)-1]++ },
		"time":            func(b []byte) { b[at(f.times)+7]-- },
		"last time":       func(b []byte) { b[at(f.times)+len(f.times)-1]++ },
		"epoch":           func(b []byte) { b[at(encodeEpochs(f.Epochs()))+3]++ },
		"epoch start":     func(b []byte) { b[at(encodeEpochs(f.Epochs()))+12+11]++ },
		"block":           func(b []byte) { b[at(f.blocks)]++ },
		"key filter bits": func(b []byte) { clear(b[at(f.filter.b):][:len(f.filter.b)]) },
	} {
		forged := bytes.Clone(object)
		forge(forged[len(g.data):])
		if !repair(forged) {
			t.Fatal("cannot repair")
		}
		if be.Uint64(forged[len(forged)-trailerBytes:]) != uint64(len(g.data)) {
			t.Fatal("repaired to another size of data")
		}
		_, err := Verify(bytes.NewReader(forged), int64(len(forged)))
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s forged: %v, want ErrCorrupt", name, err)
		}
	}
	if !repair(object) {
		t.Fatal("cannot repair")
	}
	if _, err := Verify(bytes.NewReader(object), int64(len(object))); err != nil {
		t.Errorf("nothing forged: %v", err)
	}
}

func logOf(t *testing.T, batches ...*record.Builder) []byte {
	t.Helper()
	l := &log{t: t, epoch: 1}
	for _, b := range batches {
		l.add(l.build(b))
	}
	return l.data
}

func one(c record.Codec, ts ...kafka.Timestamp) *record.Builder {
	b := record.NewBuilder(c)
	for _, t := range ts {
		b.Append(t, []byte("k"), []byte("v"))
	}
	return b
}

func TestHolesAreSealedOnlyOnDemand(t *testing.T) {
	whole := logOf(t, one(record.None, 1), one(record.None, 2), one(record.None, 3))
	third := len(whole) / 3
	holed := append(bytes.Clone(whole[:third]), whole[2*third:]...)
	for name, data := range map[string][]byte{"between": holed, "before": whole[third:]} {
		seal := func(gaps bool) (*Sealed, error) {
			return Seal(bytes.NewReader(data), int64(len(data)), ID{}, WriteOptions{Gaps: gaps})
		}
		if _, err := seal(false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("hole %s: %v, want ErrCorrupt", name, err)
		}
		if s, err := seal(true); err != nil || !s.Meta.HasGaps || s.Meta.NextOffset != 3 {
			t.Errorf("hole %s allowed: %+v, %v", name, s, err)
		}
	}
	if _, err := Seal(bytes.NewReader(whole), int64(len(whole)), ID{BaseOffset: 1}, WriteOptions{
		Gaps: true,
	}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a batch below the base offset: %v", err)
	}
}

func TestEpochsMustAscend(t *testing.T) {
	data := logOf(t, one(record.None, 1), one(record.None, 2))
	record.Batch(data).SetLeaderEpoch(2) // the second batch is of epoch 1
	_, err := Seal(bytes.NewReader(data), int64(len(data)), ID{}, WriteOptions{})
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("epoch 1 after 2: %v", err)
	}
	data = logOf(t, one(record.None, 1))
	_, err = Seal(bytes.NewReader(data), int64(len(data)), ID{}, WriteOptions{
		Epochs: []kafka.EpochStart{{Epoch: 3}, {Epoch: 1, StartOffset: 1}},
	})
	if err == nil || !strings.Contains(err.Error(), "options") {
		t.Fatalf("options with epoch 1 after 3: %v", err)
	}
}

func TestMinimumTimestampIsSound(t *testing.T) {
	const none = kafka.NoTimestamp
	for name, c := range map[string]struct {
		data     []byte
		skip     bool
		min, max kafka.Timestamp
	}{
		"out of order":         {logOf(t, one(record.Zstd, 50, 10), one(record.None, 70)), false, 10, 70},
		"not looked at":        {logOf(t, one(record.Zstd, 50, 70), one(record.None, 5)), true, none, 70},
		"plain, cheap to look": {logOf(t, one(record.None, 50, 10, 70)), true, 10, 70},
		"one without":          {logOf(t, one(record.None, 50, none, 60)), false, none, 60},
		"before 1970":          {logOf(t, one(record.None, 50, -1000)), false, none, 50},
		"none at all":          {logOf(t, one(record.None, none, none)), false, none, none},
	} {
		s, object := sealed(t, c.data, ID{}, WriteOptions{SkipRecordTimes: c.skip})
		if s.Meta.MinTimestamp != c.min || s.Meta.MaxTimestamp != c.max {
			t.Errorf("%s: %d..%d, want %d..%d", name, s.Meta.MinTimestamp, s.Meta.MaxTimestamp, c.min, c.max)
		}
		if _, err := Verify(bytes.NewReader(object), int64(len(object))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A producer wrote a max timestamp that its records exceed: time search must find them all the
// same.
func TestLyingMaxTimestampHidesNothing(t *testing.T) {
	data := logOf(t, one(record.Gzip, 50, 90))
	record.Batch(data).SetMaxTimestamp(50)
	s, object := sealed(t, data, ID{}, WriteOptions{})
	f, _, err := ParseFooter(object, s.Size())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.LookupTime(90); !ok || s.Meta.MaxTimestamp != 90 {
		t.Fatalf("time 90 found %v, max timestamp %d", ok, s.Meta.MaxTimestamp)
	}
}

// What was acked is sealed, even if its records make no sense; nothing is pruned then.
func TestUnreadableRecordsAreSealed(t *testing.T) {
	data := logOf(t, one(record.Zstd, 50, 90), one(record.None, 60))
	b, _, err := record.Next(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[record.HeaderSize:])
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	s, object := sealed(t, data, ID{}, WriteOptions{KeyFilter: true})
	f, _, err := ParseFooter(object, s.Size())
	if err != nil {
		t.Fatal(err)
	}
	if s.Meta.MinTimestamp != kafka.NoTimestamp || !f.MayContainKey([]byte("any")) {
		t.Fatalf("min timestamp %d, any key %v", s.Meta.MinTimestamp, f.MayContainKey([]byte("any")))
	}
	if _, err := Verify(bytes.NewReader(object), s.Size()); err != nil {
		t.Fatal(err)
	}
}

func TestBlocksAreCheckedWhole(t *testing.T) {
	data, _ := dataOf(t, 9, 40, 0)
	s, object := sealed(t, data, ID{}, WriteOptions{BlockBytes: 4 << 10})
	f, _, err := ParseFooter(object, s.Size())
	if err != nil {
		t.Fatal(err)
	}
	const size = 4 << 10
	if err := f.VerifyBlocks(0, data); err != nil {
		t.Fatal(err)
	}
	tail := int64(len(data)) / size * size
	if err := f.VerifyBlocks(tail, data[tail:]); err != nil {
		t.Fatalf("last, short block: %v", err)
	}
	data[size+5] ^= 1
	if err := f.VerifyBlocks(size, data[size:3*size]); !errors.Is(err, ErrCorrupt) ||
		!strings.Contains(err.Error(), "[4096,8192)") {
		t.Fatalf("a bad block: %v", err)
	}
	if err := f.VerifyBlocks(size+1, data[size+1:3*size]); err != nil {
		t.Fatalf("a bad block that is not whole: %v", err)
	}
	if err := f.VerifyBlocks(tail, object[tail:]); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("more than there is: %v", err)
	}
}

func TestBodyReadsOverTheSeam(t *testing.T) {
	data, _ := dataOf(t, 10, 5, 0)
	s, object := sealed(t, data, ID{}, WriteOptions{})
	if err := iotest.TestReader(io.NewSectionReader(s.Body(), 0, s.Size()), object); err != nil {
		t.Fatal(err)
	}
	seam := int64(len(data))
	got := make([]byte, 20)
	if n, err := s.Body().ReadAt(got, seam-10); n != 20 || err != nil ||
		!bytes.Equal(got, object[seam-10:seam+10]) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if n, err := s.Body().ReadAt(got, s.Size()-5); n != 5 || !errors.Is(err, io.EOF) {
		t.Fatalf("at the end: %d bytes, %v", n, err)
	}
	if n, err := s.Body().ReadAt(got, s.Size()+5); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("beyond the end: %d bytes, %v", n, err)
	}
	if _, err := s.Body().ReadAt(got, -1); err == nil {
		t.Fatal("a negative position was read")
	}
}

func TestFooterKeepsNothingOfTheTail(t *testing.T) {
	data, _ := dataOf(t, 11, 30, 0)
	s, object := sealed(t, data, ID{}, WriteOptions{BlockBytes: 4 << 10, KeyFilter: true})
	f, _, err := ParseFooter(object, s.Size())
	if err != nil {
		t.Fatal(err)
	}
	clear(object)
	if err := f.VerifyBlocks(0, data); err != nil || !f.MayContainKey([]byte("key-1")) {
		t.Fatalf("after the tail was cleared: %v", err)
	}
}

func TestSealBounds(t *testing.T) {
	for _, size := range []int64{-1, math.MaxUint32 + 1} {
		if _, err := Seal(bytes.NewReader(nil), size, ID{}, WriteOptions{}); err == nil {
			t.Fatalf("%d bytes were sealed", size)
		}
	}
	for _, block := range []int{1, blockBytesMax + 1} {
		if _, err := Seal(bytes.NewReader(nil), 0, ID{}, WriteOptions{BlockBytes: block}); err == nil {
			t.Fatalf("blocks of %d bytes were made", block)
		}
	}
	// A batch that claims 2 GiB takes no memory where the file has only its header.
	data := logOf(t, one(record.None, 1))
	binary.BigEndian.PutUint32(data[8:], math.MaxInt32-12)
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := Seal(bytes.NewReader(data), int64(len(data)), ID{}, WriteOptions{}); err == nil {
			t.Error("sealed")
		}
	})
	if allocated > 50 {
		t.Fatalf("%v allocations", allocated)
	}
}

func TestNewerFormatsAreRefusedByName(t *testing.T) {
	data := logOf(t, one(record.None, 1))
	_, object := sealed(t, data, ID{}, WriteOptions{})
	newer := bytes.Clone(object)
	newer[len(newer)-trailerBytes+19]++
	if _, _, err := ParseFooter(newer, int64(len(newer))); !errors.Is(err, ErrFormat) {
		t.Fatalf("version 2: %v", err)
	}
	footer := object[len(data):]
	sections, err := sectionsOf(footer, mustTrailer(t, object))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		flags uint16
		want  error
	}{{0, nil}, {flagCritical, ErrFormat}} {
		all := []section{{kind: 99, flags: c.flags, payload: []byte("later")}}
		for k, payload := range sections {
			all = append(all, section{k, flagCritical, payload})
		}
		b := appendFooter(bytes.Clone(data), 0, all)
		if !repair(b) {
			t.Fatal("cannot repair")
		}
		if _, _, err := ParseFooter(b, int64(len(b))); !errors.Is(err, c.want) {
			t.Fatalf("unknown section with flags %d: %v", c.flags, err)
		}
	}
}

func mustTrailer(t *testing.T, object []byte) trailer {
	t.Helper()
	tr, err := parseTrailer(object, int64(len(object)))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
