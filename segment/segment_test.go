package segment

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// dataOf makes a log of n batches of 1 to 20 records, some compressed, with timestamps out of
// order.
func dataOf(
	t testing.TB, seed uint64, n int, base kafka.Offset,
) (data []byte, bases []kafka.Offset) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	next := base
	for i := range n {
		b := record.NewBuilder(record.Codec(i % 5))
		for range 1 + rng.IntN(20) {
			value := make([]byte, rng.IntN(3000))
			for j := range value {
				value[j] = byte(rng.IntN(7))
			}
			at := kafka.Timestamp(1_000_000 + rng.IntN(5000))
			b.Append(at, fmt.Appendf(nil, "key-%d", rng.IntN(50)), value)
		}
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		batch.SetBaseOffset(next)
		batch.SetLeaderEpoch(kafka.LeaderEpoch(i / 10))
		bases = append(bases, next)
		next = batch.NextOffset()
		data = append(data, batch...)
	}
	return data, append(bases, next)
}

func idAt(base kafka.Offset) ID {
	return ID{Topic: kafka.TopicID{7}, Partition: 3, BaseOffset: base, LeaderEpoch: 9}
}

func sealed(t testing.TB, data []byte, id ID, o WriteOptions) (*Sealed, []byte) {
	t.Helper()
	s, err := Seal(bytes.NewReader(data), int64(len(data)), id, o)
	if err != nil {
		t.Fatal(err)
	}
	object, err := io.ReadAll(io.NewSectionReader(s.Body(), 0, s.Size()))
	if err != nil || int64(len(object)) != s.Size() {
		t.Fatalf("read body: %d of %d bytes, %v", len(object), s.Size(), err)
	}
	return s, object
}

func TestSealedSegmentReadsBack(t *testing.T) {
	data, bases := dataOf(t, 1, 200, 1000)
	options := WriteOptions{
		IndexIntervalBytes: 4 << 10, BlockBytes: 16 << 10, KeyFilter: true, Cluster: "c",
		Aborted: []AbortedTxn{
			{ProducerID: 5, FirstOffset: 1001, LastOffset: 1010, LastStableOffset: 1001},
		},
		Producers: []ProducerState{{
			ProducerID: 5, Epoch: 2, LastSequence: 9, LastOffset: 1010, LastTimestamp: 77,
			Batches:               []ProducerBatch{{0, 9, 1001, 1010, 77}},
			CurrentTxnFirstOffset: kafka.NoOffset, CoordinatorEpoch: 4,
		}},
	}
	s, object := sealed(t, data, idAt(1000), options)
	if !bytes.HasPrefix(object, data) {
		t.Fatal("the object does not begin with the data")
	}
	if got := crc32.Checksum(object, castagnoli); got != s.CRC32C {
		t.Fatalf("CRC32C of the object is %08x, Seal says %08x", got, s.CRC32C)
	}
	f, err := ReadFooter(bytes.NewReader(object), int64(len(object)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Meta(), s.Meta) {
		t.Fatalf("meta\n%+v, want\n%+v", f.Meta(), s.Meta)
	}
	producers := f.Producers()
	if !reflect.DeepEqual(producers, options.Producers) ||
		!reflect.DeepEqual(f.Aborted(), options.Aborted) {
		t.Fatalf("producers %+v, aborted %+v", producers, f.Aborted())
	}
	checkLookups(t, f, data, bases)
	report, err := Verify(bytes.NewReader(object), int64(len(object)))
	if err != nil || report.CRC32C != s.CRC32C {
		t.Fatalf("verify: %v, CRC32C %08x, want %08x", err, report.CRC32C, s.CRC32C)
	}
	if !f.MayContainKey([]byte("key-1")) {
		t.Fatal("the filter denies a key that is there")
	}
	present := 0
	for i := range 1000 {
		if f.MayContainKey(fmt.Appendf(nil, "absent-%d", i)) {
			present++
		}
	}
	if present > 50 {
		t.Fatalf("%d of 1000 absent keys look present", present)
	}
}

func checkLookups(t *testing.T, f *Footer, data []byte, bases []kafka.Offset) {
	t.Helper()
	for o := bases[0]; o < bases[len(bases)-1]; o++ {
		b, _, err := record.Next(data[f.Lookup(o):])
		if err != nil || b.BaseOffset() > o {
			t.Fatalf("lookup of %d ends at a batch from %d, %v", o, b.BaseOffset(), err)
		}
	}
	minimum, maximum := kafka.Timestamp(1<<60), kafka.Timestamp(-1)
	for rest := data; len(rest) > 0; {
		b, next, err := record.Next(rest)
		if err != nil {
			t.Fatal(err)
		}
		at := int64(len(data) - len(rest))
		it := b.Records(record.DefaultLimits())
		for it.Next() {
			ts := it.Record().Timestamp
			minimum, maximum = min(minimum, ts), max(maximum, ts)
			if position, ok := f.LookupTime(ts); !ok || position > at {
				t.Fatalf("lookup of time %d: %d, %v; a record of that time is at %d", ts, position, ok, at)
			}
		}
		it.Close()
		rest = next
	}
	if m := f.Meta(); m.MinTimestamp != minimum || m.MaxTimestamp != maximum {
		t.Fatalf("timestamps %d..%d, want %d..%d", m.MinTimestamp, m.MaxTimestamp, minimum, maximum)
	}
	if _, ok := f.LookupTime(maximum + 1); ok {
		t.Fatal("a time after the last record was found")
	}
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	data, _ := dataOf(t, 2, 12, 0)
	_, object := sealed(t, data, idAt(0), WriteOptions{BlockBytes: 4 << 10, KeyFilter: true})
	probes := 1000
	if testing.Short() {
		probes = 100
	}
	step := max(len(object)/probes, 1)
	for i := 0; i < len(object); i += step {
		object[i] ^= 0x40
		_, err := Verify(bytes.NewReader(object), int64(len(object)))
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
			t.Fatalf("flipped byte %d of %d: %v", i, len(object), err)
		}
		object[i] ^= 0x40
	}
}

func TestSealRefusesBrokenData(t *testing.T) {
	data, _ := dataOf(t, 3, 5, 10)
	for name, broken := range map[string][]byte{
		"cut":      data[:len(data)-1],
		"flipped":  slices.Concat(data[:100], []byte{data[100] ^ 1}, data[101:]),
		"repeated": slices.Concat(data, data),
	} {
		_, err := Seal(bytes.NewReader(broken), int64(len(broken)), ID{BaseOffset: 10}, WriteOptions{})
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	_, err := Seal(bytes.NewReader(data), int64(len(data))+5, ID{BaseOffset: 10}, WriteOptions{})
	if err == nil {
		t.Fatal("a file that is too short was sealed")
	}
}

func TestShortTailTellsWhatItNeeds(t *testing.T) {
	data, _ := dataOf(t, 4, 30, 0)
	s, object := sealed(t, data, idAt(0), WriteOptions{})
	for _, n := range []int64{0, 5, 32, s.Meta.FooterBytes - 1} {
		f, need, err := ParseFooter(object[int64(len(object))-n:], s.Size())
		if err != nil || f != nil || need <= n {
			t.Fatalf("tail of %d: footer %v, need %d, %v", n, f != nil, need, err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for name, c := range map[string]struct {
		codec   record.Codec
		size    int
		options WriteOptions
	}{
		"none/1000":            {record.None, 1000, WriteOptions{}},
		"none/100":             {record.None, 100, WriteOptions{}},
		"none/1000/keys":       {record.None, 1000, WriteOptions{KeyFilter: true}},
		"zstd/1000":            {record.Zstd, 1000, WriteOptions{}},
		"zstd/1000/times-skip": {record.Zstd, 1000, WriteOptions{SkipRecordTimes: true}},
	} {
		b.Run(name, func(b *testing.B) {
			data := benchData(b, c.codec, c.size)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Seal(bytes.NewReader(data), int64(len(data)), ID{}, c.options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// benchData is about 64 MiB of batches whose records are 64 KiB.
func benchData(b *testing.B, codec record.Codec, size int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	builder := record.NewBuilder(codec)
	for i := range 64 << 10 / size {
		value := make([]byte, size)
		for j := range value {
			value[j] = byte(rng.IntN(16))
		}
		builder.Append(kafka.Timestamp(1_700_000_000_000+i), fmt.Appendf(nil, "key-%d", i), value)
	}
	batch, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	var data []byte
	for next := kafka.Offset(0); len(data) < 64<<20; next = batch.NextOffset() {
		batch.SetBaseOffset(next)
		data = append(data, batch...)
	}
	return data
}
