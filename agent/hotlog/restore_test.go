package hotlog

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// image is a log with gaps: batches of two records at 3, 13, 23 and so on.
func image(t *testing.T) Source {
	t.Helper()
	var all []byte
	for i := range 20 {
		b := record.NewBuilder(record.None)
		b.Append(1, []byte("key"), fmt.Appendf(nil, "value-%d", i))
		b.Append(2, []byte("key"), nil)
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		batch.SetBaseOffset(kafka.Offset(3 + 10*i))
		batch.SetLeaderEpoch(kafka.LeaderEpoch(i / 10))
		all = append(all, batch...)
	}
	return Source{StartOffset: 2, Read: func(add func([]byte) error) (Image, error) {
		if err := add(all); err != nil {
			return Image{}, err
		}
		return Image{
			EndOffset: 195, LogStartOffset: 1,
			Epochs: []kafka.EpochStart{{Epoch: 0, StartOffset: 2}, {Epoch: 1, StartOffset: 103}},
			Producers: []segment.ProducerState{{
				ProducerID: 9, Epoch: 2, LastSequence: 4, LastOffset: 14, LastTimestamp: 2,
				CurrentTxnFirstOffset: kafka.NoOffset, CoordinatorEpoch: 3,
				Batches: []segment.ProducerBatch{{
					FirstSequence: 3, LastSequence: 4, BaseOffset: 13, LastOffset: 14, Timestamp: 2,
				}},
			}},
			Aborted: []segment.AbortedTxn{{
				ProducerID: 9, FirstOffset: 13, LastOffset: 33, LastStableOffset: 33,
			}},
		}, nil
	}}
}

func restoreConfig() Config {
	c := DefaultConfig()
	c.SegmentBytes = 400
	return c
}

// mustBeImage holds an open log against image and appends to it.
func mustBeImage(t *testing.T, l *Log) {
	t.Helper()
	if l.LocalLogStartOffset() != 2 || l.LogStartOffset() != 1 || l.LogEndOffset() != 195 {
		t.Fatalf("local start %d, log start %d, end %d",
			l.LocalLogStartOffset(), l.LogStartOffset(), l.LogEndOffset())
	}
	from, buf := kafka.Offset(2), make([]byte, 1<<16)
	for i := range 20 {
		n, err := l.Read(buf, from, 195)
		if err != nil || n == 0 {
			t.Fatal(i, n, err)
		}
		b, _, err := record.Next(buf[:n])
		if err != nil || b.BaseOffset() != kafka.Offset(3+10*i) {
			t.Fatal(b.BaseOffset(), err)
		}
		from = b.NextOffset()
	}
	if n, err := l.Read(buf, from, 195); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	p := l.Producers()
	if len(p) != 1 || p[0].Epoch != 2 || p[0].LastSequence != 4 || p[0].CoordinatorEpoch != 3 {
		t.Fatalf("%+v", p)
	}
	if a := l.AbortedIn(kafka.OffsetRange{Base: 30, Next: 40}); len(a) != 1 || a[0].LastOffset != 33 {
		t.Fatalf("%+v", a)
	}
	want := []kafka.EpochStart{{Epoch: 0, StartOffset: 2}, {Epoch: 1, StartOffset: 103}}
	if !reflect.DeepEqual(l.Epochs(), want) {
		t.Fatalf("%+v", l.Epochs())
	}
	b := record.NewBuilder(record.None)
	b.Append(1, []byte("key"), []byte("new"))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Append(batch, 2, AppendOptions{AppendTime: kafka.NoTimestamp})
	if err != nil || got.BaseOffset != 195 {
		t.Fatal(got, err)
	}
}

func TestRestoredLogIsWhole(t *testing.T) {
	mem := vfs.NewMem()
	deps := Deps{Files: NewFileSet(0), BootID: "boot"}
	junk, err := Open(mem, "/d/log", restoreConfig(), Opening{StartOffset: 7}, deps)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := junk.Append(image20(t), 1, AppendOptions{AppendTime: kafka.NoTimestamp}); err != nil {
		t.Fatal(err)
	}
	if err := junk.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Restore(mem, "/d/log", restoreConfig(), image(t), deps); err != nil {
		t.Fatal(err)
	}
	for _, disk := range []vfs.FS{mem.CrashClone(1), mem} { // all of it was synced
		l, err := Open(disk, "/d/log", restoreConfig(), Opening{}, deps)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		if segs := l.Rolled(); len(segs) < 3 {
			t.Fatalf("%d segments", len(segs))
		}
		mustBeImage(t, l)
	}
}

func image20(t *testing.T) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.Append(1, nil, []byte("junk"))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// TestRestoreCutShortIsBegunAnew fails at every file operation in turn, loses the power, and finds
// either the whole log or one that does not know where it began, which restores again.
func TestRestoreCutShortIsBegunAnew(t *testing.T) {
	for _, op := range []vfs.Op{
		vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpRemove, vfs.OpSyncDir,
	} {
		cutShort(t, op)
	}
}

func cutShort(t *testing.T, op vfs.Op) {
	for nth := range 100 {
		mem := vfs.NewMem()
		disk := vfs.NewFaulty(mem)
		disk.Inject(vfs.Fault{Op: op, After: nth, Err: errInjected})
		deps := Deps{Files: NewFileSet(0), BootID: "boot"}
		err := Restore(disk, "/d/log", restoreConfig(), image(t), deps)
		if err != nil && !errors.Is(err, errInjected) {
			t.Fatal(nth, err)
		}
		for seed := range uint64(4) {
			after := mem.CrashClone(seed)
			known, kerr := HasCheckpoint(after, "/d/log")
			if kerr != nil {
				t.Fatal(nth, kerr)
			}
			if err == nil && !known {
				t.Fatalf("operation %d: a restored log is not known", nth)
			}
			l, oerr := Open(after, "/d/log", restoreConfig(), Opening{StartOffset: 5}, deps)
			switch {
			case oerr != nil:
				t.Fatal(nth, oerr)
			case known:
				mustBeImage(t, l)
				continue
			case l.LogEndOffset() != 5:
				t.Fatalf("operation %d: half a log up to %d", nth, l.LogEndOffset())
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Restore(after, "/d/log", restoreConfig(), image(t), deps); err != nil {
				t.Fatal(nth, err)
			}
			if l, oerr = Open(after, "/d/log", restoreConfig(), Opening{}, deps); oerr != nil {
				t.Fatal(nth, oerr)
			}
			mustBeImage(t, l)
		}
		if err == nil {
			if nth == 0 {
				t.Fatalf("no %s", op)
			}
			return
		}
	}
}

func TestRestoreRefusesBatchesOutOfOrder(t *testing.T) {
	deps := Deps{Files: NewFileSet(0)}
	s := image(t)
	twice := Source{StartOffset: 2, Read: func(add func([]byte) error) (Image, error) {
		if _, err := s.Read(add); err != nil {
			return Image{}, err
		}
		return s.Read(add)
	}}
	if err := Restore(vfs.NewMem(), "/d/log", restoreConfig(), twice, deps); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	short := Source{StartOffset: 2, Read: func(add func([]byte) error) (Image, error) {
		i, err := s.Read(add)
		i.EndOffset = 100
		return i, err
	}}
	if err := Restore(vfs.NewMem(), "/d/log", restoreConfig(), short, deps); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

var errInjected = errors.New("injected")
