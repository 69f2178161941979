package agent

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/checkpointer"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/internal/objstore/open"
	"github.com/varve-log/varve/kafka"
)

// savingParts save often.
func savingParts(with parts) parts {
	with.saving = func(c *checkpointer.Config) {
		c.MaxAge, c.ScanInterval = 100*time.Millisecond, 10*time.Millisecond
		c.RetryPauseMin, c.RetryPauseMax = 10*time.Millisecond, 50*time.Millisecond
	}
	return with
}

func startSaving(t *testing.T, cfg Config) *Agent {
	t.Helper()
	return startOn(t, cfg, savingParts(testParts()))
}

// createCompacted makes a compacted topic of one partition, which is cleaned all the time.
func createCompacted(t *testing.T, a *Agent, topic string) {
	t.Helper()
	create(t, a, topic, 1, "cleanup.policy", "compact", "internal.segment.bytes", "8192",
		"min.cleanable.dirty.ratio", "0", "delete.retention.ms", "0")
}

// table is what a compacted topic holds: the last value of each key, and where the log ends.
type table struct {
	values map[string]string
	end    int64
}

func newTable() *table { return &table{values: map[string]string{}} }

// write produces n random records of 50 keys, a tenth of them tombstones, in batches of a few.
func (w *table) write(t *testing.T, a *Agent, topic string, rng *rand.Rand, n int) {
	t.Helper()
	c := client(t, a, kgo.ProducerBatchMaxBytes(1024))
	defer c.Close()
	for n > 0 {
		var records []*kgo.Record
		for range min(n, 1+rng.IntN(20)) {
			r := &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "key-%d", rng.IntN(50))}
			if rng.IntN(10) > 0 {
				r.Value = fmt.Appendf(nil, "value-%d", rng.IntN(1e9))
			}
			records = append(records, r)
		}
		n -= len(records)
		for _, got := range c.ProduceSync(testContext(t), records...) {
			if got.Err != nil {
				t.Fatal(got.Err)
			}
			r := got.Record
			if r.Offset < w.end {
				t.Fatalf("offset %d was given again, the log ended at %d", r.Offset, w.end)
			}
			w.end = r.Offset + 1
			w.values[string(r.Key)] = string(r.Value)
			if r.Value == nil {
				delete(w.values, string(r.Key))
			}
		}
	}
}

// mustBe holds a topic against the table: it ends where the table says, and a consumer up to there
// has its values. A last record tells the consumer where that is: a cleaning may have dropped a
// tombstone there.
func (w *table) mustBe(t *testing.T, a *Agent, topic string) {
	t.Helper()
	if end := offsetAt(t, a, topic, -1).Offset; end != w.end {
		t.Fatalf("log ends at %d, want %d", end, w.end)
	}
	last := &kgo.Record{Topic: topic, Key: []byte("end"), Value: fmt.Appendf(nil, "end-%d", w.end)}
	c := client(t, a, consumeAll(topic)...)
	defer c.Close()
	ctx := testContext(t)
	if err := c.ProduceSync(ctx, last).FirstErr(); err != nil {
		t.Fatal(err)
	}
	w.end = last.Offset + 1
	got, next := map[string]string{}, int64(0)
	for next < w.end {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("at offset %d of %d: %v", next, w.end, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < next {
				t.Fatalf("offset %d after %d", r.Offset, next)
			}
			next = r.Offset + 1
			got[string(r.Key)] = string(r.Value)
			if r.Value == nil {
				delete(got, string(r.Key))
			}
		})
	}
	delete(got, "end")
	if !maps.Equal(got, w.values) {
		t.Fatalf("%d keys, want %d: %v, %v", len(got), len(w.values), got, w.values)
	}
}

func awaitSaved(t *testing.T, a *Agent, topic string) {
	t.Helper()
	p := replica(t, a, topic)
	await(t, "checkpoint up to the log end", func() bool {
		return a.saver.SavedEnd(p.TopicPartition()) == p.LastStableOffset()
	})
}

// restored reads the counter of logs that were restored.
func restored(t *testing.T, a *Agent, possibleLoss bool) float64 {
	t.Helper()
	all, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() != "varve_checkpointer_restored_partitions_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == fmt.Sprint(possibleLoss) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func TestCompactedTopicOutlivesTheDisk(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1))
		cfg := testConfig(t)
		cfg.TakeOver = true
		a := startSaving(t, cfg)
		createCompacted(t, a, "t")
		want := newTable()
		for round := range 4 {
			want.write(t, a, "t", rng, 300)
			killed := rng.IntN(2) == 0
			if killed {
				awaitSaved(t, a, "t")
				a.kill()
			} else {
				stop(t, a)
			}
			cfg = newDisk(t, cfg)
			a = startSaving(t, cfg)
			if err := a.Ready(); err != nil {
				t.Fatal(err)
			}
			if n := restored(t, a, killed); n != 1 {
				t.Fatalf("seed %d round %d: %v logs restored with possible loss %v", seed, round, n, killed)
			}
			want.mustBe(t, a, "t")
		}
		stop(t, a)
		checkBucket(t, a)
	}
}

// checkBucket proves that nothing is wrong in the bucket, and that a sweep leaves no garbage.
func checkBucket(t *testing.T, a *Agent) {
	t.Helper()
	store, err := open.Open(testContext(t), a.cfg.Store, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	report, err := catalog.Fsck(testContext(t), store, catalog.FsckOptions{Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Problems {
		t.Errorf("%s: %s", p.Key, p.What)
	}
}

func TestLastUnsavedChangesAreLostAndCounted(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.TakeOver = true
	f, with := newFaults()
	a := startOn(t, cfg, savingParts(with))
	createCompacted(t, a, "t")
	rng := rand.New(rand.NewPCG(1, 2))
	want := newTable()
	want.write(t, a, "t", rng, 200)
	awaitSaved(t, a, "t")
	saved := table{values: maps.Clone(want.values), end: want.end}
	f.cutOff()
	want.write(t, a, "t", rng, 100)
	tp := replica(t, a, "t").TopicPartition()
	await(t, "failures", func() bool { return strings.Contains(metricsOf(t, a), "failures_total 3") })
	if end := a.saver.SavedEnd(tp); int64(end) != saved.end {
		t.Fatalf("saved up to %d without the bucket", end)
	}
	a.kill()

	a = startSaving(t, newDisk(t, cfg))
	if n := restored(t, a, true); n != 1 {
		t.Fatalf("%v logs restored", n)
	}
	saved.mustBe(t, a, "t")
	p, ok := a.catalog.State().Partition(tp)
	if !ok || p.Losses != 1 {
		t.Fatalf("a possible loss is not shown: %+v", p)
	}
	saved.write(t, a, "t", rng, 100)
	saved.mustBe(t, a, "t")
	stop(t, a)
}

// metricsOf gives the checkpointer's counters as "name value" lines.
func metricsOf(t *testing.T, a *Agent) string {
	t.Helper()
	all, err := a.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, f := range all {
		if m := f.GetMetric()[0]; m.GetCounter() != nil {
			name := strings.TrimPrefix(f.GetName(), "varve_checkpointer_")
			fmt.Fprintf(&out, "%s %v\n", name, m.GetCounter().GetValue())
		}
	}
	return out.String()
}

func TestSavingGoesOnAfterAnOutage(t *testing.T) {
	t.Parallel()
	f, with := newFaults()
	a := startOn(t, testConfig(t), savingParts(with))
	createCompacted(t, a, "t")
	rng := rand.New(rand.NewPCG(3, 2))
	want := newTable()
	want.write(t, a, "t", rng, 100)
	f.cutOff()
	want.write(t, a, "t", rng, 100)
	await(t, "a failure", func() bool { return !strings.Contains(metricsOf(t, a), "\nfailures_total 0") })
	f.store.Quiet()
	awaitSaved(t, a, "t")
	want.mustBe(t, a, "t")
	stop(t, a)
}

func TestDamagedCompactedLogGoesOnFromItsCheckpoint(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := startSaving(t, cfg)
	create(t, a, "t", 1, "cleanup.policy", "compact", "internal.segment.bytes", "8192",
		"min.compaction.lag.ms", "3600000") // or a cleaning would leave too few segments
	rng := rand.New(rand.NewPCG(4, 2))
	want := newTable()
	want.write(t, a, "t", rng, 2500)
	awaitSaved(t, a, "t")
	dir := breakLog(t, a, "t")
	stop(t, a)
	a = startSaving(t, cfg)
	if err := a.Ready(); err != nil {
		t.Fatal(dir, err)
	}
	if n := restored(t, a, true); n != 1 {
		t.Fatalf("%v logs restored", n)
	}
	want.mustBe(t, a, "t")
	stop(t, a)
}

func TestFencedProcessSavesNothing(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.TakeOver = true
	old := startSaving(t, cfg)
	createCompacted(t, old, "t")
	rng := rand.New(rand.NewPCG(5, 2))
	want := newTable()
	want.write(t, old, "t", rng, 100)
	awaitSaved(t, old, "t")
	saved := table{values: maps.Clone(want.values), end: want.end}
	// As from where the first one cannot be reached, and so goes on.
	second := newDisk(t, cfg)
	if err := old.broker.Close(); err != nil {
		t.Fatal(err)
	}
	a := startSaving(t, second)
	late := replica(t, old, "t")
	if _, err := late.Append(batchOf(t, 1000, "late"), api.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	tp := late.TopicPartition()
	await(t, "a failure", func() bool {
		return !strings.Contains(metricsOf(t, old), "\nfailures_total 0")
	})
	if end := old.saver.SavedEnd(tp); end != kafka.Offset(saved.end) {
		t.Fatalf("the fenced process saved up to %d", end)
	}
	saved.mustBe(t, a, "t")
	saved.write(t, a, "t", rng, 100)
	awaitSaved(t, a, "t")
	old.kill()
	a.kill()
	a = startSaving(t, newDisk(t, second))
	saved.mustBe(t, a, "t")
	stop(t, a)
}

// A topic that is sealed turns compact: its sealed part stays in the bucket, the rest is saved.
func TestTopicThatTurnedCompactOutlivesTheDisk(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.TakeOver = true
	a := startSaving(t, cfg)
	create(t, a, "t", 1, "internal.segment.bytes", "8192", "min.cleanable.dirty.ratio", "0",
		"delete.retention.ms", "0", "local.retention.bytes", "16384")
	b := newKeyTable(t, "t")
	b.write(a, 600)
	seal(t, a, "t")
	await(t, "local segments to go", func() bool {
		return replica(t, a, "t").Log().LocalLogStartOffset() > 100
	})
	alter(t, a, "t", "cleanup.policy", "compact")
	await(t, "the change to count", func() bool {
		st := replica(t, a, "t").Settings()
		return st.Compacts()
	})
	b.write(a, 300)
	b.transactions(a, 10)
	cleaned(t, a, "t")
	awaitSaved(t, a, "t")
	a.kill()
	cfg = newDisk(t, cfg)
	a = startSaving(t, cfg)
	b.check(a)
	b.write(a, 100)
	awaitSaved(t, a, "t")

	// Sealed again, it needs its checkpoint no more.
	alter(t, a, "t", "cleanup.policy", "delete")
	await(t, "the change to count", func() bool {
		st := replica(t, a, "t").Settings()
		return st.Seals()
	})
	b.write(a, 100)
	seal(t, a, "t")
	tp := replica(t, a, "t").TopicPartition()
	await(t, "the checkpoint to go", func() bool {
		v, _ := a.catalog.Ledger(checkpoint.Ref{Agent: cfg.AgentID}).Known()
		_, there := v.Entry(tp)
		return !there
	})
	a.kill()
	a = startSaving(t, newDisk(t, cfg))
	b.check(a)
	stop(t, a)
	checkBucket(t, a)
}
