package checkpointer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/compaction/gc"
	"github.com/varve-log/varve/compaction/keys"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

const partitionsMax = 4

// world is an agent's process with some logs, the bucket, and what was written to each log.
type world struct {
	t     *testing.T
	rng   *rand.Rand
	store objstore.Store

	fs       *vfs.Mem
	files    *hotlog.FileSet
	cat      *catalog.Catalog
	agent    *cluster.Agent
	topic    *cluster.Topic
	saver    *Checkpointer
	logs     []*fakeLog
	now      time.Time
	newDisks int
}

// fakeLog is a real hot log behind the face that the checkpointer works on.
type fakeLog struct {
	*hotlog.Log
	w         *world
	cat       *catalog.Catalog // of its process
	tp        kafka.TopicPartition
	epoch     kafka.LeaderEpoch
	compacted bool

	history []written
	open    *written // an open transaction's first record
	seq     int32
	// saved is the highest end that a Flush without an error has saved.
	saved kafka.Offset
}

// written is a record, or where a transaction ended.
type written struct {
	offset     kafka.Offset
	key, value string // an empty value is a tombstone
	pending    bool   // in the open transaction
}

var _ Log = (*fakeLog)(nil)

func (l *fakeLog) TP() kafka.TopicPartition          { return l.tp }
func (l *fakeLog) Topic() string                     { return l.w.topic.Name }
func (l *fakeLog) LeaderEpoch() kafka.LeaderEpoch    { return l.epoch }
func (l *fakeLog) Compacted() bool                   { return l.compacted }
func (l *fakeLog) SealedElsewhere(kafka.Offset) bool { return true }
func (l *fakeLog) DeleteRetention() time.Duration    { return time.Minute }
func (l *fakeLog) Manifest() Manifest                { return l.cat.Partition(l.tp) }
func (l *fakeLog) StartOffset() kafka.Offset         { return l.LocalLogStartOffset() }
func (l *fakeLog) LastStableOffset() kafka.Offset    { return l.StableOffset(l.LogEndOffset()) }
func (l *fakeLog) Stable() Stable                    { return Stable(l.Log.Stable(l.LogEndOffset())) }

func (l *fakeLog) Cleaned() (kafka.Offset, kafka.Offset) {
	complete, end := l.Cleaning()
	return complete, min(end, l.LastStableOffset())
}

func quickRegister() register.Config {
	c := register.DefaultConfig()
	c.BackoffMin, c.BackoffMax = time.Microsecond, 10*time.Microsecond
	return c
}

func logConfig() hotlog.Config {
	c := hotlog.DefaultConfig()
	c.SegmentBytes = 4096
	return c
}

func newWorld(t *testing.T, seed uint64, store objstore.Store) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 77)), store: store, files: hotlog.NewFileSet(0),
		fs: vfs.NewMem(), now: time.UnixMilli(1_700_000_000_000),
	}
	w.boot("disk-0")
	change := cluster.CreateTopic{ID: catalog.NewTopicID(), Name: "t"}
	n := 1 + w.rng.IntN(partitionsMax)
	for range n {
		change.Assignments = append(change.Assignments, []int32{1})
	}
	s, err := w.cat.Commit(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	w.topic, _ = s.Topic("t")
	for p := range int32(n) {
		l := &fakeLog{
			w: w, tp: kafka.TopicPartition{Topic: w.topic.ID, Partition: p}, compacted: true,
		}
		w.logs = append(w.logs, l)
		w.openLog(l)
	}
	return w
}

// boot begins a new process: another incarnation, another catalog, no logs in care.
func (w *world) boot(disk string) {
	var err error
	w.cat, err = catalog.Open(w.t.Context(), w.store, catalog.Options{
		Create: true, Register: quickRegister(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	replaces := int64(0)
	if a, ok := w.cat.State().Agent(1); ok {
		replaces = a.Incarnation
	}
	w.agent, err = w.cat.Register(w.t.Context(), cluster.RegisterAgent{
		Agent:    cluster.Agent{ID: 1, DiskUUID: disk, Advertised: "h:9092", FormatMax: 1},
		Replaces: replaces,
	}, cluster.StartLeading{Agent: 1})
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Agent, cfg.Incarnation = 1, w.agent.Incarnation
	w.saver, err = New(cfg, Deps{
		Catalog: w.cat, Logger: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
		Now: func() time.Time { return w.now },
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) deps() hotlog.Deps {
	return hotlog.Deps{Files: w.files, Now: func() time.Time { return w.now }, BootID: "boot"}
}

func (w *world) dir(l *fakeLog) string {
	return fmt.Sprintf("/disk-%d/%d", w.newDisks, l.tp.Partition)
}

// openLog opens what is on the disk and puts it into the checkpointer's care.
func (w *world) openLog(l *fakeLog) {
	var err error
	l.Log, err = hotlog.Open(w.fs, w.dir(l), logConfig(), hotlog.Opening{}, w.deps())
	if err != nil {
		w.t.Fatal(err)
	}
	l.cat = w.cat
	p, _ := w.cat.State().Partition(l.tp)
	l.epoch = p.LeaderEpoch
	if err := l.AssignEpoch(l.epoch); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.cat.Partition(l.tp).Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.saver.Add(l)
}

// write appends a few records: alone, in a transaction that stays open, or its end.
func (w *world) write(l *fakeLog) {
	b := record.NewBuilder(record.Codec(w.rng.IntN(2) * int(record.LZ4)))
	transactional := l.open != nil || w.rng.IntN(4) == 0
	var records []written
	for range 1 + w.rng.IntN(6) {
		r := written{key: fmt.Sprintf("key-%d", w.rng.IntN(12)), pending: transactional}
		var value []byte
		if w.rng.IntN(4) > 0 {
			r.value = fmt.Sprintf("%d-%0*d", w.rng.Int(), w.rng.IntN(100), 7)
			value = []byte(r.value)
		}
		records = append(records, r)
		b.Append(kafka.TimestampOf(w.now), []byte(r.key), value)
	}
	if transactional {
		b.Transactional = true
		b.SetProducer(7, 0, l.seq)
		l.seq += int32(len(records))
	}
	batch, err := b.Build()
	if err != nil {
		w.t.Fatal(err)
	}
	base := w.append(l, batch)
	for i := range records {
		records[i].offset = base + kafka.Offset(i)
	}
	if transactional && l.open == nil {
		l.open = &records[0]
	}
	l.history = append(l.history, records...)
	if l.open != nil && w.rng.IntN(2) == 0 {
		w.end(l, w.rng.IntN(2) == 0)
	}
}

func (w *world) append(l *fakeLog, batch record.Batch) kafka.Offset {
	got, err := l.Append(batch, l.epoch, hotlog.AppendOptions{AppendTime: kafka.NoTimestamp})
	if err != nil {
		w.t.Fatal(err)
	}
	if got.Duplicate {
		w.t.Fatalf("a new batch is taken for a duplicate at %d", got.BaseOffset)
	}
	return got.BaseOffset
}

// end ends the open transaction.
func (w *world) end(l *fakeLog, commit bool) {
	m := record.Abort
	if commit {
		m = record.Commit
	}
	w.append(l, record.NewMarker(m, 7, 0, 1, kafka.TimestampOf(w.now)))
	l.open = nil
	kept := l.history[:0]
	for _, r := range l.history {
		if !r.pending || commit {
			r.pending = false
			kept = append(kept, r)
		}
	}
	l.history = kept
}

// clean cleans a log as far as it can, and lets horizons pass now and then.
func (w *world) clean(l *fakeLog) {
	if _, err := l.Roll(); err != nil {
		w.t.Fatal(err)
	}
	if err := l.Sync(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.now = w.now.Add(time.Duration(w.rng.IntN(100)) * time.Second)
	_, err := l.Clean(hotlog.CleanOptions{
		Map: keys.NewMap(1<<20, 0.9), Stable: l.LastStableOffset(), DeleteRetention: time.Minute,
		Now: w.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// lastValues is what a reader of committed records below an offset ends up with.
func (l *fakeLog) lastValues(end kafka.Offset) map[string]string {
	out := map[string]string{}
	for _, r := range l.history {
		if r.offset >= end {
			break
		}
		if r.value == "" {
			delete(out, r.key)
		} else {
			out[r.key] = r.value
		}
	}
	return out
}

// flush saves what it can and remembers what is saved.
func (w *world) flush(ctx context.Context) error {
	ends := make([]kafka.Offset, len(w.logs))
	for i, l := range w.logs {
		ends[i] = l.LastStableOffset()
	}
	err := w.saver.Flush(ctx)
	for i, l := range w.logs {
		if got := w.saver.SavedEnd(l.tp); err == nil && got < ends[i] {
			w.t.Fatalf("partition %d is saved up to %d, its last stable offset was %d", i, got, ends[i])
		}
		l.saved = max(l.saved, w.saver.SavedEnd(l.tp))
	}
	return err
}

// loseDisk begins a new process on an empty disk and restores all logs. Each must be what a log was
// at the end of its checkpoint, and that no lower than what was ever known as saved.
func (w *world) loseDisk() {
	w.newDisks++
	w.boot(fmt.Sprintf("disk-%d", w.newDisks))
	w.fs = vfs.NewMem()
	for _, l := range w.logs {
		h, err := w.cat.Partition(l.tp).Load(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		s, found, err := w.saver.Find(w.t.Context(), h)
		if err != nil {
			w.t.Fatal(err)
		}
		if s.EndOffset() < l.saved {
			w.t.Fatalf("partition %d: a checkpoint up to %d is lost, found is one up to %d",
				l.tp.Partition, l.saved, s.EndOffset())
		}
		if found {
			from := hotlog.Source{StartOffset: s.StartOffset()}
			from.Read = func(add func([]byte) error) (hotlog.Image, error) {
				return w.saver.Restore(w.t.Context(), s, add)
			}
			if err := hotlog.Restore(w.fs, w.dir(l), logConfig(), from, w.deps()); err != nil {
				w.t.Fatal(err)
			}
		}
		w.openLog(l)
		w.mustBe(l, s.EndOffset())
		w.forgetAbove(l, s.EndOffset())
	}
}

// mustBe holds a restored log against the history up to an end.
func (w *world) mustBe(l *fakeLog, end kafka.Offset) {
	if l.LogEndOffset() != end || l.LastStableOffset() != end {
		w.t.Fatalf("partition %d ends at %d, last stable offset %d, want %d",
			l.tp.Partition, l.LogEndOffset(), l.LastStableOffset(), end)
	}
	got, want := readAll(w.t, l.Log), l.lastValues(end)
	if !maps.Equal(got, want) {
		w.t.Fatalf("partition %d restored to %d has %v, want %v", l.tp.Partition, end, got, want)
	}
}

// forgetAbove makes the history that of a log that lost what it had above an end.
func (w *world) forgetAbove(l *fakeLog, end kafka.Offset) {
	n := 0
	for n < len(l.history) && l.history[n].offset < end {
		n++
	}
	l.history, l.open, l.seq = l.history[:n], nil, 0
	for _, p := range l.Producers() {
		l.seq = p.LastSequence + 1
	}
}

// readAll reads a log as a consumer of committed records that keeps a table does.
func readAll(t *testing.T, l *hotlog.Log) map[string]string {
	t.Helper()
	out := map[string]string{}
	buf := make([]byte, 1<<20)
	from, end := l.LocalLogStartOffset(), l.LogEndOffset()
	aborted := l.AbortedIn(kafka.OffsetRange{Base: from, Next: end})
	for from < end {
		n, err := l.Read(buf, from, end)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return out
		}
		for rest := buf[:n]; len(rest) > 0; {
			b, after, err := record.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			rest = after
			if b.NextOffset() <= from {
				t.Fatalf("batch up to %d after offset %d", b.NextOffset(), from)
			}
			from = b.NextOffset()
			if !b.IsControl() && !isAborted(b, aborted) {
				fold(t, b, out)
			}
		}
	}
	return out
}

func isAborted(b record.Batch, aborted []segment.AbortedTxn) bool {
	for _, a := range aborted {
		if b.IsTransactional() && b.ProducerID() == a.ProducerID &&
			a.FirstOffset <= b.BaseOffset() && b.BaseOffset() <= a.LastOffset {
			return true
		}
	}
	return false
}

func fold(t *testing.T, b record.Batch, out map[string]string) {
	t.Helper()
	it := b.Records(record.DefaultLimits())
	defer it.Close()
	for it.Next() {
		if r := it.Record(); r.Value == nil {
			delete(out, string(r.Key))
		} else {
			out[string(r.Key)] = string(r.Value)
		}
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
}

// checkBucket sweeps once, as of a cluster that is stopped, and proves that nothing is wrong and
// nothing is left that no head needs.
func (w *world) checkBucket() {
	w.t.Helper()
	ctx := w.t.Context()
	if _, err := gc.New(w.cat, gc.Options{Grace: -1, Stopped: true}).Run(ctx); err != nil {
		w.t.Fatal(err)
	}
	var unneeded []string
	report, err := catalog.Fsck(ctx, w.store, catalog.FsckOptions{
		Grace: time.Nanosecond, Deep: true, Now: time.Now().Add(time.Hour),
		Visit: func(f catalog.Finding) {
			if f.Class != catalog.Live && !strings.HasPrefix(f.Key, objstore.ProbePrefix) {
				unneeded = append(unneeded, fmt.Sprintf("%s %s: %s", f.Class, f.Key, f.Why))
			}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if !report.OK() || len(unneeded) > 0 {
		w.t.Fatalf("after a sweep: %+v %v", report.Problems, unneeded)
	}
}

// isLocal tells errors of the test's own making from those of the store.
func isLocal(err error) bool {
	return errors.Is(err, hotlog.ErrCorrupt) || errors.Is(err, record.ErrCorrupt) ||
		errors.Is(err, ErrDamaged)
}

const timeUnit = time.Millisecond

func timeNow() time.Time { return time.Now() }

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ticker := time.NewTicker(timeUnit)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("waited in vain")
		case <-ticker.C:
		}
	}
}

var noTime = hotlog.AppendOptions{AppendTime: kafka.NoTimestamp}

func oneRecord(t *testing.T, key, value string) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.Append(1, []byte(key), []byte(value))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// history notes what a test appended to a log by hand.
func (w *world) history(partition int, key, value string) {
	l := w.logs[partition]
	l.history = append(l.history, written{offset: l.LogEndOffset() - 1, key: key, value: value})
}
