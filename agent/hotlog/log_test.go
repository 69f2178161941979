package hotlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testDir = "/data/topic/0"

// testLog opens a log that the test closes.
func testLog(t testing.TB, fs vfs.FS, cfg Config, deps Deps) *Log {
	t.Helper()
	l, err := openLog(fs, cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func openLog(fs vfs.FS, cfg Config, deps Deps) (*Log, error) {
	if deps.Files == nil {
		deps.Files = NewFileSet(16)
	}
	return Open(fs, testDir, cfg, Opening{}, deps)
}

// batchOf makes a batch of n records with this timestamp whose values tell them apart.
func batchOf(t testing.TB, n int, ts kafka.Timestamp, tag string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	for i := range n {
		b.Append(ts, nil, fmt.Appendf(nil, "%s-%d", tag, i))
	}
	return build(t, b)
}

func build(t testing.TB, b *record.Builder) record.Batch {
	t.Helper()
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func idempotent(t testing.TB, n int, id kafka.ProducerID, epoch int16, seq int32) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.SetProducer(id, epoch, seq)
	for i := range n {
		b.Append(1000, nil, fmt.Appendf(nil, "p%d-%d", id, int(seq)+i))
	}
	return build(t, b)
}

func mustAppend(t testing.TB, l *Log, b []byte) Appended {
	t.Helper()
	a, err := l.Append(b, 0, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustSync(t interface {
	Helper()
	Fatal(...any)
}, l *Log,
) {
	t.Helper()
	if err := l.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// waitRolled waits until n rolled segments are reported.
func waitRolled(t testing.TB, l *Log, n int) []RolledSegment {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if r := l.Rolled(); len(r) >= n {
			return r
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d rolled segments of %d", len(l.Rolled()), n)
		}
	}
}

// readAll gives the bytes of all batches from an offset to the log end.
func readAll(t testing.TB, l *Log, from kafka.Offset) []byte {
	t.Helper()
	var out []byte
	buf := make([]byte, 64<<10)
	for from < l.LogEndOffset() {
		n, err := l.Read(buf, from, l.LogEndOffset())
		if err != nil || n == 0 {
			t.Fatalf("read at %d: %d bytes, %v", from, n, err)
		}
		for rest := buf[:n]; len(rest) > 0; {
			b, r, err := record.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			from, rest = b.NextOffset(), r
		}
		out = append(out, buf[:n]...)
	}
	return out
}

func smallSegments() Config {
	c := DefaultConfig()
	c.SegmentBytes = 1000
	c.IndexIntervalBytes = 100
	return c
}

func TestAppendPatchesAndReads(t *testing.T) {
	l := testLog(t, vfs.NewMem(), DefaultConfig(), Deps{})
	first, second := batchOf(t, 3, 10, "a"), batchOf(t, 2, 20, "b")
	both := append(append([]byte(nil), first...), second...)
	a, err := l.Append(both, 7, AppendOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a.BaseOffset != 0 || a.NextOffset != 5 || a.MustFlush || a.AppendTime != -1 {
		t.Fatalf("appended %+v", a)
	}
	if got := readAll(t, l, 0); !bytes.Equal(got, both) {
		t.Fatal("other bytes than appended")
	}
	b, rest, _ := record.Next(both)
	c, _, _ := record.Next(rest)
	if b.LeaderEpoch() != 7 || c.BaseOffset() != 3 || b.Validate() != nil || c.Validate() != nil {
		t.Fatalf("patched wrongly: epoch %d, base %d", b.LeaderEpoch(), c.BaseOffset())
	}
	buf := make([]byte, 4096)
	if n, err := l.Read(buf, 4, 5); err != nil || !bytes.Equal(buf[:n], c) {
		t.Fatalf("read in the middle: %d bytes, %v", n, err)
	}
	if n, err := l.Read(buf, 0, 4); err != nil || !bytes.Equal(buf[:n], b) {
		t.Fatalf("read up to 4: %d bytes, %v", n, err)
	}
	if n, err := l.Read(buf, 5, 5); n != 0 || err != nil {
		t.Fatalf("read at the end: %d, %v", n, err)
	}
	if _, err := l.Read(buf, 6, 9); !errors.Is(err, ErrOffsetOutOfRange) {
		t.Fatalf("read past the end: %v", err)
	}
	var short *ShortBufferError
	if _, err := l.Read(buf[:20], 0, 5); !errors.As(err, &short) || short.Need != len(b) {
		t.Fatalf("short buffer: %v", err)
	}
	if _, err := l.Append(batchOf(t, 1, 1, "x"), 6, AppendOptions{}); !errors.Is(err, ErrFenced) {
		t.Fatalf("lower epoch: %v", err)
	}
}

func TestAppendTimeReplacesTimestamps(t *testing.T) {
	l := testLog(t, vfs.NewMem(), DefaultConfig(), Deps{})
	b := batchOf(t, 2, 10, "a")
	a, err := l.Append(b, 0, AppendOptions{AppendTime: 777})
	if err != nil || a.AppendTime != 777 {
		t.Fatalf("%+v, %v", a, err)
	}
	if b.MaxTimestamp() != 777 || b.TimestampType() != record.LogAppendTime || b.Validate() != nil {
		t.Fatal("batch not stamped")
	}
	if o, ts, ok, err := l.OffsetForTime(500); o != 0 || ts != 777 || !ok || err != nil {
		t.Fatalf("by time: %d %d %v %v", o, ts, ok, err)
	}
}

func TestRollReleaseAndReadAcrossSegments(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, smallSegments(), Deps{})
	var all []byte
	for i := range 60 {
		b := batchOf(t, 2, kafka.Timestamp(i), "r")
		mustAppend(t, l, b)
		all = append(all, b...)
	}
	if got := readAll(t, l, 0); !bytes.Equal(got, all) {
		t.Fatal("other bytes than appended")
	}
	for o := range l.LogEndOffset() { // every offset is found, in any order
		buf := make([]byte, 300)
		if n, err := l.Read(buf, 119-o, 120); err != nil || n == 0 {
			t.Fatalf("read at %d: %d, %v", 119-o, n, err)
		} else if b := record.Batch(buf); b.BaseOffset() > 119-o || b.NextOffset() <= 119-o {
			t.Fatalf("read at %d gives [%d,%d)", 119-o, b.BaseOffset(), b.NextOffset())
		}
	}
	rolled := waitRolled(t, l, 3)
	pinned, err := l.OpenSegment(rolled[0].BaseOffset)
	if err != nil {
		t.Fatal(err)
	}
	n, bytesGone, err := l.Release(rolled[1].NextOffset)
	if n != 2 || err != nil || bytesGone != rolled[0].Bytes+rolled[1].Bytes {
		t.Fatalf("released %d, %d bytes, %v", n, bytesGone, err)
	}
	got := make([]byte, pinned.Size())
	if _, err := pinned.ReadAt(got, 0); err != nil || !bytes.HasPrefix(all, got) {
		t.Fatalf("pinned segment: %v", err)
	}
	if err := pinned.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(got, 0, 10); !errors.Is(err, ErrBelowLocalStart) {
		t.Fatalf("read of released: %v", err)
	}
	if l.LocalLogStartOffset() != rolled[1].NextOffset {
		t.Fatalf("local start %d", l.LocalLogStartOffset())
	}
	names, _ := fs.ReadDir(testDir)
	for _, name := range names {
		if base, ok := parseFileName(name, logSuffix); ok && base < rolled[1].NextOffset {
			t.Fatalf("%s is still there", name)
		}
	}
}

func TestRollByRecordTimeAndByClock(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	cfg := DefaultConfig()
	cfg.SegmentAge = time.Second
	l := testLog(t, vfs.NewMem(), cfg, Deps{Now: func() time.Time { return now }})
	mustAppend(t, l, batchOf(t, 1, 5000, "a"))
	mustAppend(t, l, batchOf(t, 1, 6000, "b")) // not more than a second later
	if n := len(l.view.Load().segs); n != 1 {
		t.Fatalf("%d segments", n)
	}
	mustAppend(t, l, batchOf(t, 1, 6001, "c"))
	if n := len(l.view.Load().segs); n != 2 {
		t.Fatalf("%d segments after a later record", n)
	}
	if rolled, err := l.MaybeRoll(now.Add(time.Second)); rolled || err != nil {
		t.Fatalf("rolled too early: %v", err)
	}
	if rolled, err := l.MaybeRoll(now.Add(1001 * time.Millisecond)); !rolled || err != nil {
		t.Fatalf("not rolled by the clock: %v", err)
	}
	if rolled, _ := l.MaybeRoll(now.Add(time.Hour)); rolled {
		t.Fatal("an empty segment was rolled")
	}
}

func TestReopenAfterCleanCloseScansNothing(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, smallSegments(), Deps{})
	for i := range 30 {
		mustAppend(t, l, batchOf(t, 2, kafka.Timestamp(100-i), "c"))
	}
	want := readAll(t, l, 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	faulty := vfs.NewFaulty(fs)
	again := testLog(t, faulty, smallSegments(), Deps{})
	if got := readAll(t, again, 0); !bytes.Equal(got, want) {
		t.Fatal("other bytes after reopening")
	}
	if again.FlushedOffset() != 60 || len(again.Rolled()) == 0 {
		t.Fatalf("flushed %d, %d rolled", again.FlushedOffset(), len(again.Rolled()))
	}
	if _, err := l.Append(batchOf(t, 1, 1, "x"), 0, AppendOptions{}); !errors.Is(err, ErrClosed) {
		t.Fatalf("append after close: %v", err)
	}
	if _, err := l.Read(make([]byte, 100), 0, 1); !errors.Is(err, ErrClosed) {
		t.Fatalf("read after close: %v", err)
	}
}

func TestTornTailIsCut(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, DefaultConfig(), Deps{})
	mustAppend(t, l, batchOf(t, 2, 1, "a"))
	want := readAll(t, l, 0)
	mustAppend(t, l, batchOf(t, 2, 1, "b"))
	crashed := fs.ProcessCrashClone()
	f, err := crashed.OpenReadWrite(testDir + "/" + fileName(0, logSuffix))
	if err != nil {
		t.Fatal(err)
	}
	size, _ := f.Size()
	if err := errors.Join(f.Truncate(size-3), f.Close()); err != nil {
		t.Fatal(err)
	}
	again := testLog(t, crashed, DefaultConfig(), Deps{})
	if again.LogEndOffset() != 2 || !bytes.Equal(readAll(t, again, 0), want) {
		t.Fatalf("log end %d", again.LogEndOffset())
	}
	if a := mustAppend(t, again, batchOf(t, 1, 1, "c")); a.BaseOffset != 2 {
		t.Fatalf("goes on at %d", a.BaseOffset)
	}
}

func TestTruncateAndReset(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, smallSegments(), Deps{})
	for i := range 30 {
		epoch := kafka.LeaderEpoch(i / 10)
		if _, err := l.Append(idempotent(t, 2, 5, 0, int32(2*i)), epoch, AppendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	want := readAll(t, l, 0)
	if e, end := l.EpochEnd(1); e != 1 || end != 40 {
		t.Fatalf("epoch end %d %d", e, end)
	}
	if err := l.Truncate(31); err != nil { // inside [30,32)
		t.Fatal(err)
	}
	if l.LogEndOffset() != 30 || !bytes.HasPrefix(want, readAll(t, l, 0)) {
		t.Fatalf("log end %d", l.LogEndOffset())
	}
	if e, end := l.EpochEnd(1); e != 1 || end != 30 {
		t.Fatalf("epoch end %d %d after truncation", e, end)
	}
	if p := l.Producers(); len(p) != 1 || p[0].LastSequence != 29 || p[0].LastOffset != 29 {
		t.Fatalf("producers %+v", p)
	}
	if a, err := l.Append(idempotent(t, 2, 5, 0, 30), 3, AppendOptions{}); err != nil ||
		a.BaseOffset != 30 {
		t.Fatalf("%+v, %v", a, err)
	}
	start := Opening{StartOffset: 10, Epochs: []kafka.EpochStart{{Epoch: 4, StartOffset: 2}}}
	if err := l.Reset(start); err != nil {
		t.Fatal(err)
	}
	if l.LogEndOffset() != 10 || l.LocalLogStartOffset() != 10 || l.SizeBytes() != 0 {
		t.Fatalf("reset to [%d,%d)", l.LocalLogStartOffset(), l.LogEndOffset())
	}
	if a, err := l.Append(idempotent(t, 1, 5, 0, 99), 4, AppendOptions{}); err != nil ||
		a.BaseOffset != 10 {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := testLog(t, fs, smallSegments(), Deps{})
	if again.LogEndOffset() != 11 || again.LocalLogStartOffset() != 10 {
		t.Fatalf("reopened as [%d,%d)", again.LocalLogStartOffset(), again.LogEndOffset())
	}
}

func TestOffsetForTimeWithTimestampsOutOfOrder(t *testing.T) {
	l := testLog(t, vfs.NewMem(), smallSegments(), Deps{})
	times := []kafka.Timestamp{50, 10, 90, 20, 20, 95, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 99, 1, 1, 98}
	for _, ts := range times {
		mustAppend(t, l, batchOf(t, 1, ts, "t"))
	}
	check := func(l *Log) {
		for ts := kafka.Timestamp(0); ts < 110; ts++ {
			want := kafka.NoOffset
			for o, at := range times {
				if at >= ts {
					want = kafka.Offset(o)
					break
				}
			}
			o, at, ok, err := l.OffsetForTime(ts)
			if err != nil || ok != (want >= 0) || o != want || ok && at != times[o] {
				t.Fatalf("time %d: offset %d (%d), want %d: %v", ts, o, at, want, err)
			}
		}
	}
	check(l)
	if o, ts, err := l.MaxTimestamp(); o != 17 || ts != 99 || err != nil {
		t.Fatalf("max timestamp %d at %d: %v", ts, o, err)
	}
	if err := l.SetLogStartOffset(1); err != nil {
		t.Fatal(err)
	}
	if o, _, _, _ := l.OffsetForTime(40); o != 2 {
		t.Fatalf("below the log start: %d", o)
	}
}

func TestBudgetRefusesAndComesBack(t *testing.T) {
	budget := NewBudget(700)
	l := testLog(t, vfs.NewMem(), smallSegments(), Deps{Budget: budget})
	var err error
	n := 0
	for ; err == nil; n++ {
		_, err = l.Append(batchOf(t, 2, 1, "b"), 0, AppendOptions{})
	}
	if !errors.Is(err, ErrLocalDiskLimit) || budget.Used() != l.SizeBytes() {
		t.Fatalf("%v, used %d of %d", err, budget.Used(), l.SizeBytes())
	}
	if _, err := l.Roll(); err != nil {
		t.Fatal(err)
	}
	waitRolled(t, l, 1)
	if _, _, err := l.Release(l.LogEndOffset()); err != nil || budget.Used() != 0 {
		t.Fatalf("used %d after release: %v", budget.Used(), err)
	}
	mustAppend(t, l, batchOf(t, 2, 1, "b"))
	if err := l.Close(); err != nil || budget.Used() != 0 {
		t.Fatalf("used %d after close: %v", budget.Used(), err)
	}
}

// Bug: a log start inside the active segment forgot the epochs of the records below it, so that the
// segment could never be sealed.
func TestEpochsOfLocalRecordsOutliveTheLogStart(t *testing.T) {
	fs := vfs.NewMem()
	l := testLog(t, fs, DefaultConfig(), Deps{})
	mustAppend(t, l, batchOf(t, 10, 1000, "a"))
	if err := l.SetLogStartOffset(7); err != nil {
		t.Fatal(err)
	}
	before := l.Epochs()
	if len(before) != 1 || before[0].StartOffset != 0 {
		t.Fatalf("epochs %v", before)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if after := testLog(t, fs, DefaultConfig(), Deps{}).Epochs(); after[0] != before[0] {
		t.Fatalf("epochs %v after a restart, %v before", after, before)
	}
}
