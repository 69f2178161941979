package hotlog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

func keyed(t testing.TB, ts kafka.Timestamp, pairs ...string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	for i := 0; i < len(pairs); i += 2 {
		b.Append(ts, []byte(pairs[i]), []byte(pairs[i+1]))
	}
	return build(t, b)
}

func cleanOptions(l *Log) CleanOptions {
	return CleanOptions{
		Map: keys.NewMap(1<<20, 0.9), Stable: l.LastStableOffset(), Now: time.Now(),
		DeleteRetention: time.Hour,
	}
}

// rolledLog holds n rolled segments of two batches; each of ten keys is written again and again.
func rolledLog(t testing.TB, fs vfs.FS, n int) *Log {
	l := testLog(t, fs, DefaultConfig(), Deps{})
	for i := range n {
		for j := range 2 {
			k := fmt.Sprint("key", (2*i+j)%10)
			mustAppend(t, l, keyed(t, kafka.Timestamp(i+1), k, fmt.Sprint(i), k+"x", fmt.Sprint(i)))
		}
		if _, err := l.Roll(); err != nil {
			t.Fatal(err)
		}
	}
	waitRolled(t, l, n)
	return l
}

func TestCleanMergesSegments(t *testing.T) {
	l := rolledLog(t, vfs.NewMem(), 30)
	o := cleanOptions(l)
	before := l.Cleanable(o)
	if before.DirtyBytes != l.SizeBytes() || before.CleanBytes != 0 || before.Ratio() != 1 ||
		before.FirstUncleanableOffset != 120 || before.DirtySince != 1 {
		t.Fatalf("%+v", before)
	}
	done, err := l.Clean(o)
	if err != nil || done.FirstDirtyOffset != 120 || done.SegmentsBefore != 30 ||
		done.SegmentsAfter != 1 || done.RecordsRead != 120 || done.RecordsKept != 20 {
		t.Fatalf("%+v, %v", done, err)
	}
	after := l.Cleanable(o)
	if after.DirtyBytes != 0 || after.CleanBytes != l.SizeBytes() || after.Ratio() != 0 {
		t.Fatalf("%+v", after)
	}
	rolled := l.Rolled()
	if len(rolled) != 1 || rolled[0].BaseOffset != 0 || rolled[0].NextOffset != 120 {
		t.Fatalf("%+v", rolled)
	}
	for from := range kafka.Offset(120) {
		buf := make([]byte, 4096)
		n, err := l.Read(buf, from, 120)
		if err != nil || n == 0 || record.Batch(buf).NextOffset() <= from {
			t.Fatalf("read at %d: %d bytes, %v", from, n, err)
		}
	}
	if o, ts, ok, err := l.OffsetForTime(0); o != 100 || ts != 26 || !ok || err != nil {
		t.Fatalf("first record is at %d, %d, %v", o, ts, err)
	}
	if o, ts, err := l.MaxTimestamp(); o != 116 || ts != 30 || err != nil {
		t.Fatalf("largest timestamp %d at %d, %v", ts, o, err)
	}
}

// A cleaning that would change nothing leaves the files alone.
func TestCleanLogIsNotWrittenAgain(t *testing.T) {
	l := testLog(t, vfs.NewMem(), DefaultConfig(), Deps{})
	mustAppend(t, l, keyed(t, 1, "a", "1", "b", "1"))
	if _, err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	waitRolled(t, l, 1)
	done, err := l.Clean(cleanOptions(l))
	if err != nil || done.FirstDirtyOffset != 2 || l.view.Load().segs[0].id.gen != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	if c := l.Cleanable(cleanOptions(l)); c.DirtyBytes != 0 {
		t.Fatalf("%+v", c)
	}
}

func TestMinLagBarsYoungSegments(t *testing.T) {
	l := rolledLog(t, vfs.NewMem(), 10)
	o := cleanOptions(l)
	o.Now, o.MinLag = time.UnixMilli(1000), 995*time.Millisecond
	if c := l.Cleanable(o); c.FirstUncleanableOffset != 20 || c.DirtySince != 1 {
		t.Fatalf("%+v", c)
	}
	done, err := l.Clean(o)
	if err != nil || done.FirstDirtyOffset != 20 {
		t.Fatalf("%+v, %v", done, err)
	}
}

// closeBehind begins to close a log that waits for its cleaning.
func closeBehind(l *Log) error {
	go func() { _ = l.Close() }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		l.mu.Lock()
		closing := l.state != stateOpen
		l.mu.Unlock()
		if closing {
			return nil
		}
	}
	return nil
}

// What changes the log under a cleaning ends it, and the log is as if it had not begun.
func TestChangesEndACleaning(t *testing.T) {
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		change func(*Log) error
		want   error
	}{
		"truncate": {func(l *Log) error { return l.Truncate(30) }, ErrCleanAborted},
		"release":  {func(l *Log) error { _, _, err := l.Release(30); return err }, ErrCleanAborted},
		"reset":    {func(l *Log) error { return l.Reset(Opening{StartOffset: 7}) }, ErrCleanAborted},
		"close":    {closeBehind, ErrClosed},
		"pace":     {func(*Log) error { return stop }, stop},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			l := rolledLog(t, fs, 20)
			o := cleanOptions(l)
			calls := 0
			o.Pace = func(int) error {
				if calls++; calls == 23 { // while the filter reads
					return c.change(l)
				}
				return nil
			}
			if _, err := l.Clean(o); !errors.Is(err, c.want) {
				t.Fatal(err)
			}
			names, err := fs.ReadDir(testDir)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if id, ok := parseSegmentName(n, logSuffix); ok && id.gen > 0 {
					t.Errorf("%s is left", n)
				}
			}
			if name != "close" {
				readAll(t, l, l.LocalLogStartOffset())
			}
		})
	}
}

func TestOneCleaningAtATime(t *testing.T) {
	l := rolledLog(t, vfs.NewMem(), 3)
	o := cleanOptions(l)
	o.Pace = func(int) error {
		_, err := l.Clean(cleanOptions(l))
		return err
	}
	if _, err := l.Clean(o); !errors.Is(err, ErrCleaning) {
		t.Fatal(err)
	}
}

func TestMapTooSmallForOneBatch(t *testing.T) {
	l := testLog(t, vfs.NewMem(), DefaultConfig(), Deps{})
	b := record.NewBuilder(record.None)
	for i := range 100 {
		b.Append(1, fmt.Append(nil, i), nil)
	}
	mustAppend(t, l, build(t, b))
	if _, err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	waitRolled(t, l, 1)
	o := cleanOptions(l)
	o.Map = keys.NewMap(0, 0.9)
	if _, err := l.Clean(o); !errors.Is(err, ErrMapTooSmall) {
		t.Fatal(err)
	}
}

// A checkpoint that cannot be written leaves the old segments in use.
func TestCleanWithFailingCheckpoint(t *testing.T) {
	for _, times := range []int{1, 2} {
		fs := vfs.NewFaulty(vfs.NewMem())
		l := rolledLog(t, fs, 10)
		want := readAll(t, l, 0)
		fs.Inject(vfs.Fault{Op: vfs.OpRename, NameHas: "/checkpoint", Times: times})
		if _, err := l.Clean(cleanOptions(l)); err == nil {
			t.Fatal("no error")
		}
		if !slices.Equal(readAll(t, l, 0), want) {
			t.Fatal("other bytes")
		}
		fs.Heal()
		if done, err := l.Clean(cleanOptions(l)); err != nil || done.SegmentsAfter != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
		got := readAll(t, l, 0)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		again := testLog(t, fs, DefaultConfig(), Deps{})
		if !slices.Equal(readAll(t, again, 0), got) {
			t.Fatal("other bytes after a restart")
		}
		names, _ := fs.ReadDir(testDir)
		logs := 0
		for _, n := range names {
			if _, ok := parseSegmentName(n, logSuffix); ok {
				logs++
			}
		}
		if logs != 2 {
			t.Fatalf("%v", names)
		}
	}
}

// A disk on which a segment's bytes rotted is not cleaned: its new checksum would hide it.
func TestCleanRefusesCorruptBatches(t *testing.T) {
	fs := vfs.NewMem()
	l := rolledLog(t, fs, 3)
	f, err := fs.OpenReadWrite(testDir + "/" + fileName(4, logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff}, 70); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Clean(cleanOptions(l)); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if len(l.Rolled()) != 3 {
		t.Fatalf("%+v", l.Rolled())
	}
}

// Readers, appends, rolls, checkpoints and releases beside cleanings, for the race detector. Every
// read gives whole batches at or after the offset asked for.
func TestCleanBesideEverything(t *testing.T) {
	cfg := smallSegments()
	cfg.IndexIntervalBytes = 100
	l := testLog(t, vfs.NewMem(), cfg, Deps{Files: NewFileSet(2)})
	done := make(chan struct{})
	var others sync.WaitGroup
	for i := range 3 {
		others.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			buf := make([]byte, 2000)
			for {
				select {
				case <-done:
					return
				default:
				}
				from, end := l.LocalLogStartOffset(), l.LogEndOffset()
				if from >= end {
					continue
				}
				from += kafka.Offset(r.Int64N(int64(end - from)))
				n, err := l.Read(buf, from, end)
				if errors.Is(err, ErrBelowLocalStart) {
					continue
				}
				if err != nil || n == 0 {
					t.Errorf("read at %d of %d: %d bytes, %v", from, end, n, err)
					return
				}
				for rest := buf[:n]; len(rest) > 0; {
					b, left, err := record.Next(rest)
					if err == nil {
						err = b.ValidateStored()
					}
					if err != nil || b.NextOffset() <= from {
						t.Errorf("read at %d gives batch %d: %v", from, b.BaseOffset(), err)
						return
					}
					from, rest = b.NextOffset(), left
				}
			}
		})
	}
	others.Go(func() {
		m := keys.NewMap(1<<20, 0.9)
		for {
			select {
			case <-done:
				return
			default:
			}
			o := cleanOptions(l)
			o.Map = m
			if _, err := l.Clean(o); err != nil && !errors.Is(err, ErrCleanAborted) {
				t.Error(err)
				return
			}
		}
	})
	for i := range 3000 {
		mustAppend(t, l, keyed(t, 1, fmt.Sprint("k", i%37), fmt.Sprint("v", i), fmt.Sprint("l", i%11), "w"))
		switch i % 200 {
		case 60:
			if err := l.Checkpoint(); err != nil {
				t.Fatal(err)
			}
		case 130:
			if _, _, err := l.Release(l.LogEndOffset() - 300); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	others.Wait()
}

func TestSegmentNames(t *testing.T) {
	for _, id := range []segmentID{{}, {base: 7}, {base: 1 << 40, gen: 1}, {base: 9, gen: 1<<32 - 1}} {
		got, ok := parseSegmentName(id.name(logSuffix), logSuffix)
		if !ok || got != id {
			t.Errorf("%s: %+v", id.name(logSuffix), got)
		}
	}
	for _, name := range []string{
		"", "7.log", "00000000000000000007.index", "00000000000000000007-0000000000.log",
		"00000000000000000007-00000000001.log", "00000000000000000007_0000000001.log",
		"00000000000000000007-99999999999.log",
	} {
		if id, ok := parseSegmentName(name, logSuffix); ok {
			t.Errorf("%q: %+v", name, id)
		}
	}
}

// A checkpoint written before logs were cleaned is read as one of a log that never was.
func TestCheckpointOfTheFirstFormat(t *testing.T) {
	c := checkpoint{
		sequence: 3, bootID: "b", flushed: 9,
		segments: []segmentInfo{{base: 0, next: 9, bytes: 100}, {base: 9, next: 9}},
	}
	e := newEncoder(0)
	e.i64(3)
	e.text("b")
	e.flag(false)
	e.offset(0)
	e.offset(9)
	e.u32(2)
	for i := range c.segments {
		e.info(&c.segments[i])
	}
	e.u32(0)
	e.producers(nil)
	e.u32(0)
	got, err := decodeCheckpoint(sealFile(e.b, checkpointMagicV1))
	if err != nil || !slices.Equal(got.segments, c.segments) || got.flushed != 9 || got.cleaned != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}
