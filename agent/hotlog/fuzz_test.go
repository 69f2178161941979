package hotlog

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// reseal gives arbitrary bytes a checksum that holds, so that the decoder behind it is reached.
func reseal(body []byte, magic string) []byte {
	return sealFile(append(make([]byte, sealSize), body...), magic)
}

func sampleProducers() []producer {
	p := newProducer(7)
	p.epoch, p.spans = 3, 2
	p.span[0] = batchSpan{firstSeq: 1, lastSeq: 2, baseOffset: 10, lastOffset: 11, timestamp: 5}
	p.span[1] = batchSpan{firstSeq: 3, lastSeq: 3, baseOffset: 12, lastOffset: 12, timestamp: 6}
	return []producer{p, newProducer(9)}
}

func FuzzSnapshot(f *testing.F) {
	f.Add(encodeSnapshot(sampleProducers())[sealSize:])
	f.Add([]byte{})
	f.Add([]byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = decodeSnapshot(body)
		all, err := decodeSnapshot(reseal(body, snapshotMagic))
		if err != nil {
			return
		}
		again, err := decodeSnapshot(encodeSnapshot(all))
		if err != nil || len(again) != len(all) {
			t.Fatalf("%d producers, then %d: %v", len(all), len(again), err)
		}
	})
}

func sampleCheckpoint() *checkpoint {
	a, b := emptyInfo(0), emptyInfo(10)
	a.next, a.bytes, a.synced = 10, 1000, true
	return &checkpoint{
		sequence: 3, bootID: "boot", segments: []segmentInfo{a, b},
		epochs:    []kafka.EpochStart{{Epoch: 1, StartOffset: 0}},
		producers: sampleProducers(),
		aborted:   []endedTxn{{producer: 7, first: 1, last: 4, stable: 5, aborted: true}},
	}
}

// What decodes is consistent, and a log opens with it whatever it says.
func FuzzCheckpoint(f *testing.F) {
	f.Add(sampleCheckpoint().encode()[sealSize:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = decodeCheckpoint(body)
		sealed := reseal(body, checkpointMagic)
		if _, err := decodeCheckpoint(sealed); err != nil {
			return
		}
		fs := vfs.NewMem()
		l := testLog(t, fs, smallSegments(), Deps{})
		for range 5 {
			mustAppend(t, l, batchOf(t, 2, 1, "fuzz"))
		}
		disk := fs.ProcessCrashClone()
		if err := vfs.WriteFileAtomic(disk, l.files.checkpointPath(), sealed, true); err != nil {
			t.Fatal(err)
		}
		if again, err := openLog(disk, smallSegments(), Deps{}); err == nil {
			_ = readable(again)
			_ = again.Close()
		}
	})
}

// readable reads what a log has, with errors allowed.
func readable(l *Log) error {
	buf := make([]byte, 4096)
	_, err := l.Read(buf, l.LocalLogStartOffset(), l.LogEndOffset())
	if err == nil {
		_, _, _, err = l.OffsetForTime(1)
	}
	return err
}

func FuzzIndex(f *testing.F) {
	b := appendIndexHeader(nil, 5)
	b = indexEntry{rel: 3, pos: 400, maxTimestamp: 9}.appendTo(b)
	b = indexEntry{rel: 8, pos: 900, maxTimestamp: 12}.appendTo(b)
	f.Add(b, 2)
	f.Add([]byte("VRVHIDX1"), 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		_, _ = decodeIndex(b, 5, n, 0)
		if n < 0 || n > 1000 || len(b) < indexHeaderSize+n*indexEntrySize {
			return
		}
		sum := crc32.Checksum(b[indexHeaderSize:indexHeaderSize+n*indexEntrySize], castagnoli)
		entries, err := decodeIndex(b, 5, n, sum)
		if err != nil {
			return
		}
		for i := 1; i < len(entries); i++ {
			if !entries[i-1].before(entries[i]) {
				t.Fatal("entries not ascending")
			}
		}
	})
}

// A segment file of arbitrary bytes opens as a log of the valid batches it begins with.
func FuzzRecovery(f *testing.F) {
	b := batchOf(f, 2, 1, "seed")
	f.Add([]byte(b), []byte{})
	second := batchOf(f, 1, 1, "more")
	binary.BigEndian.PutUint64(second, 2)
	f.Add(append(append([]byte{}, b...), second...), []byte(second))
	f.Fuzz(func(t *testing.T, first, later []byte) {
		fs := vfs.NewMem()
		if err := fs.MkdirAll(testDir); err != nil {
			t.Fatal(err)
		}
		for base, content := range map[kafka.Offset][]byte{0: first, 2: later} {
			name := testDir + "/" + fileName(base, logSuffix)
			if err := vfs.WriteFileAtomic(fs, name, content, true); err != nil {
				t.Fatal(err)
			}
		}
		l, err := openLog(fs, DefaultConfig(), Deps{})
		if err != nil {
			return
		}
		if l.LogEndOffset() > 0 {
			readAll(t, l, 0)
		}
		// The leader that goes on has at least the newest epoch that the files speak of.
		epoch := kafka.LeaderEpoch(0)
		if epochs := l.Epochs(); len(epochs) > 0 {
			epoch = max(epoch, epochs[len(epochs)-1].Epoch)
		}
		if _, err := l.Append(batchOf(t, 1, 1, "after"), epoch, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
