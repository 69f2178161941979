package gc

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
)

const none = time.Duration(-1) // no grace time

// bucket is a catalog of one agent over a store that can fail.
type bucket struct {
	*testing.T
	store *faulty.Store
	cat   *catalog.Catalog
	tp    kafka.TopicPartition
	epoch kafka.LeaderEpoch
}

func newBucket(t *testing.T) *bucket {
	b := &bucket{T: t, store: faulty.New(mem.New()), epoch: -1}
	b.restart()
	id := catalog.NewTopicID()
	_, err := b.cat.Commit(t.Context(), cluster.CreateTopic{
		ID: id, Name: "t", Assignments: [][]int32{{1}},
	})
	b.must(err)
	b.tp, b.epoch = kafka.TopicPartition{Topic: id}, 0
	return b
}

// restart is a new process on the same disk: it leads in the next epoch.
func (b *bucket) restart() {
	cfg := register.DefaultConfig()
	cfg.BackoffMin, cfg.BackoffMax = time.Microsecond, 10*time.Microsecond
	var err error
	b.cat, err = catalog.Open(b.Context(), b.store, catalog.Options{
		Create: true, Register: cfg, Limits: manifest.Limits{
			TailMax: 4, TailSpill: 2, PageEntries: 4, PagesMax: 3, PagesSpill: 2, IndexRefs: 3,
		},
	})
	b.must(err)
	b.Cleanup(func() { _ = b.cat.Close() })
	_, err = b.cat.Register(b.Context(), cluster.RegisterAgent{
		Agent: cluster.Agent{ID: 1, DiskUUID: "disk", FormatMax: 1},
	}, cluster.StartLeading{Agent: 1})
	b.must(err)
	b.epoch++
}

func (b *bucket) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bucket) upload(base kafka.Offset) manifest.Entry {
	raw := []byte(fmt.Sprintf("segment at %d", base))
	e := manifest.Entry{
		BaseOffset: base, NextOffset: base + 10, LeaderEpoch: b.epoch, UID: catalog.NewUID(),
		Bytes: int64(len(raw)), DataBytes: int64(len(raw)), CRC32C: objstore.Checksum(raw), Records: 10,
		Format: 1,
	}
	_, err := b.store.Put(b.Context(), e.Key(b.tp), objstore.Bytes(raw), objstore.Condition{})
	b.must(err)
	return e
}

func (b *bucket) edit(fn func(manifest.Head) (manifest.Head, error)) error {
	_, err := b.cat.Partition(b.tp).Edit(b.Context(), fn)
	return err
}

func (b *bucket) add(e manifest.Entry) error {
	return b.edit(func(h manifest.Head) (manifest.Head, error) {
		h, err := h.AddSegment(manifest.Segment{Entry: e}, b.epoch)
		if err != nil {
			return h, err
		}
		return h.Verify(e.NextOffset, b.epoch)
	})
}

func (b *bucket) seal(n int) {
	b.Helper()
	h, err := b.cat.Partition(b.tp).Load(b.Context())
	b.must(err)
	for i := range n {
		b.must(b.add(b.upload(h.SealedEnd() + kafka.Offset(10*i))))
	}
}

func (b *bucket) expire(to kafka.Offset) {
	b.Helper()
	at, err := b.cat.StoreNow(b.Context())
	b.must(err)
	b.must(b.edit(func(h manifest.Head) (manifest.Head, error) {
		return h.MoveLogStart(to, b.epoch, at)
	}))
}

// leads is what the running agent tells the sweep.
func (b *bucket) leads(inFlight ...string) func(kafka.TopicPartition) (Lead, bool) {
	return func(tp kafka.TopicPartition) (Lead, bool) {
		return Lead{Epoch: b.epoch, UploadInFlight: func(uid string) bool {
			for _, u := range inFlight {
				if u == uid {
					return true
				}
			}
			return false
		}}, tp == b.tp
	}
}

func (b *bucket) run(o Options) Summary {
	b.Helper()
	sum, err := New(b.cat, o).Run(b.Context())
	b.must(err)
	return sum
}

func (b *bucket) exists(key string) bool {
	_, err := b.store.Head(b.Context(), key)
	return err == nil
}

// fsck wants no problem, and no garbage with this grace time.
func (b *bucket) fsck(grace time.Duration) *catalog.Report {
	b.Helper()
	now, err := b.cat.StoreNow(b.Context())
	b.must(err)
	o := catalog.FsckOptions{Deep: true, Grace: grace, Now: now}
	r, err := catalog.Fsck(b.Context(), b.store, o)
	b.must(err)
	if !r.Clean() {
		b.Fatalf("fsck: %+v", r)
	}
	return r
}

func TestExpiredSegmentsGoAfterTheGraceTime(t *testing.T) {
	b := newBucket(t)
	b.seal(20)
	b.expire(95)
	if sum := b.run(Options{Grace: time.Hour, Leads: b.leads()}); sum.Deleted.Objects != 0 {
		t.Fatalf("within the grace time: %+v", sum)
	}
	plan, err := New(b.cat, Options{Grace: none, Leads: b.leads(), HeadsOnly: true}).Plan(t.Context())
	b.must(err)
	sum := b.run(Options{Grace: none, Leads: b.leads(), HeadsOnly: true})
	if plan.Deleted.Objects < 9 || sum.Deleted.Objects < plan.Deleted.Objects {
		t.Fatalf("plan %+v, run %+v", plan, sum)
	}
	r := b.fsck(time.Nanosecond)
	if r.Segments != 11 || r.Keys[catalog.Pending].Objects != 0 {
		t.Fatalf("left: %+v", r)
	}
	if again := b.run(Options{Grace: none, Leads: b.leads()}); again.Deleted.Objects != 0 {
		t.Fatalf("a second sweep: %+v", again)
	}
}

func TestAnOrphanOfAFencedEpochGoesOneInFlightStays(t *testing.T) {
	b := newBucket(t)
	b.seal(2)
	old := b.upload(20) // and the process is killed
	b.restart()
	flying, given := b.upload(20), b.upload(20)
	sum := b.run(Options{Grace: none, Leads: b.leads(flying.UID)})
	if b.exists(old.Key(b.tp)) || b.exists(given.Key(b.tp)) || !b.exists(flying.Key(b.tp)) ||
		sum.Fenced != 1 {
		t.Fatalf("sweep %+v", sum)
	}
	b.must(b.add(flying))
	if b.add(old) == nil {
		t.Fatal("a segment of a fenced epoch was committed after its sweep")
	}
	b.fsck(time.Nanosecond)
}

func TestWhatAnotherLeaderMayCommitStays(t *testing.T) {
	b := newBucket(t)
	b.seal(1)
	e := b.upload(10)
	b.run(Options{Grace: none})
	if !b.exists(e.Key(b.tp)) {
		t.Fatal("an upload of the present epoch was deleted by someone who does not lead")
	}
	sum := b.run(Options{Grace: none, Stopped: true})
	if b.exists(e.Key(b.tp)) || sum.Fenced != 1 {
		t.Fatalf("with the cluster stopped: %+v", sum)
	}
	if err := b.add(e); err == nil {
		t.Fatal("a leader that was not stopped after all committed what was swept")
	}
	b.restart()
	b.seal(1)
	b.fsck(time.Nanosecond)
}

// TestASweeperThatMeetsAStalledUploader: the uploader stalls between its upload and its commit,
// while a new leader fences and a sweep runs.
func TestASweeperThatMeetsAStalledUploader(t *testing.T) {
	b := newBucket(t)
	b.seal(1)
	stalled, e := *b, b.upload(10)
	b.restart()
	b.seal(1)
	b.run(Options{Grace: none, Leads: b.leads()})
	if err := stalled.add(e); err == nil {
		t.Fatal("the stalled leader committed")
	}
	b.fsck(time.Nanosecond)
}

func TestADeletedTopicIsSweptAndForgotten(t *testing.T) {
	b := newBucket(t)
	b.seal(12)
	stray := b.upload(500)
	now, err := b.cat.StoreNow(t.Context())
	b.must(err)
	_, err = b.cat.Commit(t.Context(), cluster.DeleteTopic{ID: b.tp.Topic, At: kafka.TimestampOf(now)})
	b.must(err)
	id := catalog.NewTopicID()
	_, err = b.cat.Commit(t.Context(), cluster.CreateTopic{
		ID: id, Name: "t", Assignments: [][]int32{{1}},
	})
	b.must(err)
	b.run(Options{Grace: time.Hour})
	if !b.exists(stray.Key(b.tp)) {
		t.Fatal("deleted within the grace time")
	}
	sum := b.run(Options{Grace: none})
	r := b.fsck(time.Nanosecond)
	if sum.Forgotten != 1 || len(b.cat.State().DeletedTopics()) != 0 ||
		r.Keys[catalog.Live].Objects != 1 {
		t.Fatalf("sweep %+v, fsck %+v", sum, r)
	}
	late := b.upload(600) // by a leader that stalled all the while
	for try := 0; b.exists(late.Key(b.tp)); try++ {
		// The sweep's view of the store's clock lags by a request, so the first may come too early.
		if b.run(Options{Grace: none}); try > 1000 {
			t.Fatal("what a stalled leader of a forgotten topic uploads is never swept")
		}
	}
	b.fsck(time.Nanosecond)
}

func TestReplacedClusterObjectsGo(t *testing.T) {
	b := newBucket(t)
	for i := range 3 {
		_, err := b.cat.Commit(t.Context(), cluster.CreateTopic{
			ID: catalog.NewTopicID(), Name: fmt.Sprint("big", i), Assignments: make1(500),
		})
		b.must(err)
		b.must(b.cat.Snapshot(t.Context()))
	}
	sum := b.run(Options{Grace: none})
	r := b.fsck(time.Nanosecond)
	if sum.Deleted.Objects < 4 || r.Keys[catalog.Pending].Objects != 0 {
		t.Fatalf("sweep %+v, fsck %+v", sum, r)
	}
}

func make1(n int) [][]int32 {
	as := make([][]int32, n)
	for i := range as {
		as[i] = []int32{1}
	}
	return as
}

// TestEveryCallOfASweepEveryWay fails each store call of a sweep in each way, one at a time. A
// second sweep then leaves the bucket clean, and nothing live was deleted.
func TestEveryCallOfASweepEveryWay(t *testing.T) {
	setup := func() *bucket {
		b := newBucket(t)
		b.seal(14)
		b.expire(75)
		b.upload(140)
		b.restart()
		b.seal(3)
		return b
	}
	sweep := func(b *bucket) error {
		_, err := New(b.cat, Options{Grace: none, Leads: b.leads()}).Run(context.Background())
		return err
	}
	probe := setup()
	first := len(probe.store.Calls())
	probe.must(sweep(probe))
	calls := probe.store.Calls()[first:]
	for n, call := range calls {
		for _, fault := range faulty.Faults(call.Op, !call.Cond.Always()) {
			b := setup()
			b.store.FailCall(len(b.store.Calls())+n+1, fault)
			_ = sweep(b)
			b.store.Quiet()
			b.store.Land(t.Context())
			b.must(sweep(b))
			if r := b.fsck(time.Nanosecond); r.Segments != 10 {
				t.Fatalf("call %d (%s %s) %s: %+v", n, call.Op, call.Key, fault, r)
			}
		}
	}
}
