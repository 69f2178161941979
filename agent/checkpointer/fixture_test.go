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
)

const partitionsMax = 4

// world is an agent's process with some logs, the bucket, and what was written to each log.
type world struct {
	t     testing.TB
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
	// start is the log start offset, as the manifest would have it.
	start kafka.Offset
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
	rng := rand.New(rand.NewPCG(seed, 77))
	return newWorldOf(t, rng, store, 1+rng.IntN(partitionsMax))
}

func newWorldOf(t testing.TB, rng *rand.Rand, store objstore.Store, n int) *world {
	w := &world{
		t: t, rng: rng, store: store, files: hotlog.NewFileSet(0),
		fs: vfs.NewMem(), now: time.UnixMilli(1_700_000_000_000),
	}
	w.boot("disk-0")
	change := cluster.CreateTopic{ID: catalog.NewTopicID(), Name: "t"}
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
	l.Log, err = hotlog.Open(w.fs, w.dir(l), logConfig(),
		hotlog.Opening{StartOffset: l.start, LogStartOffset: l.start}, w.deps())
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

// expire moves the log start, as retention or DeleteRecords do, and lets local segments go.
func (w *world) expire(l *fakeLog) {
	to := l.LogStartOffset() + kafka.Offset(w.rng.IntN(20))
	l.start = min(to, l.LastStableOffset())
	if err := l.SetLogStartOffset(l.start); err != nil {
		w.t.Fatal(err)
	}
	if _, _, err := l.Release(l.start); err != nil {
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
		if r.offset < l.start {
			continue
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
		gone := l.StartOffset() >= ends[i] // nothing of it is left to save
		if got := w.saver.SavedEnd(l.tp); err == nil && got < ends[i] && !gone {
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
				i, err := w.saver.Restore(w.t.Context(), s, add)
				i.EndOffset, i.LogStartOffset = max(i.EndOffset, l.start), l.start
				return i, err
			}
			if err := hotlog.Restore(w.fs, w.dir(l), logConfig(), from, w.deps()); err != nil {
				w.t.Fatal(err)
			}
		}
		w.openLog(l)
		end := max(s.EndOffset(), l.start)
		w.mustBe(l, end)
		w.forgetAbove(l, end)
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
