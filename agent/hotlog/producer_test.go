package hotlog

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

func TestDuplicatesOfTheLastFiveBatches(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, DefaultConfig(), Deps{})
	for i := range 7 {
		mustAppend(t, l, idempotent(t, 2, 1, 0, int32(2*i)))
	}
	check := func(l *Log) {
		t.Helper()
		for i := range 7 {
			a, err := l.Append(idempotent(t, 2, 1, 0, int32(2*i)), 0, AppendOptions{})
			if i < 2 { // older than the last five: as Kafka, out of order
				var seq *SequenceError
				if !errors.As(err, &seq) || seq.Last != 13 || !errors.Is(err, ErrOutOfOrderSequence) {
					t.Fatalf("batch %d repeated: %v", i, err)
				}
				continue
			}
			if err != nil || !a.Duplicate || a.BaseOffset != kafka.Offset(2*i) {
				t.Fatalf("batch %d repeated: %+v, %v", i, a, err)
			}
		}
		if l.LogEndOffset() != 14 {
			t.Fatalf("log end %d", l.LogEndOffset())
		}
	}
	check(l)
	killed := testLog(t, fs.ProcessCrashClone(), DefaultConfig(), Deps{})
	check(killed)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check(testLog(t, fs, DefaultConfig(), Deps{}))
}

func TestSequenceRules(t *testing.T) {
	for _, c := range []struct {
		name      string
		epoch     int16
		seq       int32
		want      error
		lastEpoch int16
		last      int32 // sequence the producer last sent, -1 for an unknown producer
	}{
		{name: "unknown producer may begin anywhere", seq: 77, last: -1},
		{name: "next", seq: 5, last: 4},
		{name: "gap", seq: 6, last: 4, want: ErrOutOfOrderSequence},
		{name: "again, other length", seq: 3, last: 4, want: ErrOutOfOrderSequence},
		{name: "new epoch begins at 0", epoch: 1, seq: 0, last: 4},
		{name: "new epoch at 5", epoch: 1, seq: 5, last: 4, want: ErrOutOfOrderSequence},
		{name: "old epoch", seq: 5, last: 4, lastEpoch: 1, want: ErrInvalidProducerEpoch},
		{name: "wrap", seq: 0, last: math.MaxInt32},
		{name: "no wrap", seq: 1, last: math.MaxInt32, want: ErrOutOfOrderSequence},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := testLog(t, vfs.NewMem(), DefaultConfig(), Deps{})
			if c.last >= 0 {
				mustAppend(t, l, idempotent(t, 1, 1, c.lastEpoch, c.last))
			}
			before := l.LogEndOffset()
			_, err := l.Append(idempotent(t, 2, 1, c.epoch, c.seq), 0, AppendOptions{})
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err != nil && l.LogEndOffset() != before {
				t.Fatal("refused and appended")
			}
		})
	}
}

func TestSequencesWrapInsideABatch(t *testing.T) {
	l := testLog(t, vfs.NewMem(), DefaultConfig(), Deps{})
	mustAppend(t, l, idempotent(t, 4, 1, 0, math.MaxInt32-1)) // ends with sequence 1
	mustAppend(t, l, idempotent(t, 1, 1, 0, 2))
	a := mustAppend(t, l, idempotent(t, 4, 1, 0, math.MaxInt32-1))
	if !a.Duplicate || a.BaseOffset != 0 {
		t.Fatalf("%+v", a)
	}
}

func TestProducersExpire(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	cfg := DefaultConfig()
	cfg.ProducerIDExpiration = time.Hour
	l := testLog(t, vfs.NewMem(), cfg, Deps{Now: func() time.Time { return now }})
	mustAppend(t, l, idempotent(t, 1, 1, 0, 0))
	b := record.NewBuilder(record.None)
	b.Transactional = true
	b.SetProducer(2, 0, 0)
	b.Append(1, nil, []byte("in a transaction"))
	mustAppend(t, l, build(t, b))
	now = now.Add(30 * time.Minute)
	mustAppend(t, l, idempotent(t, 1, 3, 0, 0))
	now = now.Add(31 * time.Minute)
	if err := l.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	got := l.Producers()
	if len(got) != 2 || got[0].ProducerID != 2 || got[1].ProducerID != 3 {
		t.Fatalf("left: %+v", got)
	}
}

func TestProducersAtARolledSegmentsEnd(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, DefaultConfig(), Deps{})
	for i := range 3 {
		mustAppend(t, l, idempotent(t, 2, 1, 0, int32(2*i)))
		if _, err := l.Roll(); err != nil {
			t.Fatal(err)
		}
	}
	waitRolled(t, l, 3)
	check := func(at kafka.Offset) {
		t.Helper()
		p, err := l.ProducersAt(at)
		if err != nil || len(p) != 1 || p[0].LastOffset != at-1 {
			t.Fatalf("producers at %d: %+v, %v", at, p, err)
		}
	}
	check(4)
	name := testDir + "/" + fileName(4, snapshotSuffix)
	if err := vfs.WriteFileAtomic(fs, name, []byte("garbage"), false); err != nil {
		t.Fatal(err)
	}
	check(4) // replayed from the one before
	check(6)
	if _, err := l.ProducersAt(5); !errors.Is(err, ErrNoSegment) {
		t.Fatal(err)
	}
}

func TestTransactionsHoldTheStableOffsetBack(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, DefaultConfig(), Deps{})
	txn := func(id kafka.ProducerID, seq int32) {
		b := record.NewBuilder(record.None)
		b.Transactional = true
		b.SetProducer(id, 0, seq)
		b.Append(1, nil, []byte("x"))
		mustAppend(t, l, build(t, b))
	}
	mustAppend(t, l, batchOf(t, 1, 1, "before")) // 0
	txn(1, 0)                                    // 1
	txn(2, 0)                                    // 2
	if l.LastStableOffset() != 1 {
		t.Fatalf("stable %d", l.LastStableOffset())
	}
	if _, err := l.Append(idempotent(t, 1, 1, 0, 1), 0, AppendOptions{}); !errors.Is(
		err, ErrInvalidTxnState) {
		t.Fatal(err)
	}
	mustAppend(t, l, record.NewMarker(record.Abort, 1, 0, 5, 2)) // 3
	if l.LastStableOffset() != 2 || l.StableOffset(3) != 1 || l.StableOffset(4) != 2 {
		t.Fatalf("stable %d, %d, %d", l.LastStableOffset(), l.StableOffset(3), l.StableOffset(4))
	}
	check := func(l *Log) {
		t.Helper()
		if l.LastStableOffset() != 2 {
			t.Fatalf("stable %d", l.LastStableOffset())
		}
		a := l.AbortedIn(kafka.OffsetRange{Base: 0, Next: 10})
		if len(a) != 1 || a[0].FirstOffset != 1 || a[0].LastOffset != 3 ||
			a[0].LastStableOffset != 2 {
			t.Fatalf("aborted %+v", a)
		}
		if a := l.AbortedIn(kafka.OffsetRange{Base: 4, Next: 10}); len(a) != 0 {
			t.Fatalf("aborted after it: %+v", a)
		}
	}
	check(l)
	check(testLog(t, fs.ProcessCrashClone(), DefaultConfig(), Deps{}))
	_, err := l.Append(record.NewMarker(record.Commit, 1, 0, 4, 2), 0, AppendOptions{})
	if !errors.Is(err, ErrTxnCoordinatorFenced) {
		t.Fatal(err)
	}
	mustAppend(t, l, record.NewMarker(record.Commit, 2, 0, 5, 2)) // 4
	if l.LastStableOffset() != 5 {
		t.Fatalf("stable %d", l.LastStableOffset())
	}
	if err := l.Truncate(4); err != nil {
		t.Fatal(err)
	}
	check(l)
}

// Bug: what a coordinator writes to a transaction has no sequence number, and a restart took it for
// a torn tail and cut the log there.
func TestCoordinatorsRecordsSurviveARestart(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, DefaultConfig(), Deps{})
	b := record.NewBuilder(record.None)
	b.Transactional = true
	b.SetProducer(7, 1, kafka.NoSequence)
	b.Append(1, []byte("group"), []byte("offset"))
	if _, err := l.Append(build(t, b), 0, AppendOptions{Coordinator: true}); err != nil {
		t.Fatal(err)
	}
	again := testLog(t, fs.ProcessCrashClone(), DefaultConfig(), Deps{})
	if again.LogEndOffset() != 1 || again.LastStableOffset() != 0 {
		t.Fatalf("log end %d, stable %d", again.LogEndOffset(), again.LastStableOffset())
	}
}
