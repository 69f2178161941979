package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
)

func TestARestartOnAnEmptyDiskFindsTopicsAndLeadsInNewEpochs(t *testing.T) {
	store := mem.New()
	c := open(t, store, Options{})
	a := registerAgent(t, c, 1, "disk-a")
	topic := createTopic(t, c, "flights", 3)
	tp := kafka.TopicPartition{Topic: topic.ID, Partition: 2}
	mustSeal(t, c, tp, 0, 0)
	ids, err := c.AllocateProducerIDs(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Commit(t.Context(), cluster.MarkCleanStop{Agent: 1, Incarnation: a.Incarnation})
	if err != nil {
		t.Fatal(err)
	}
	clusterID := c.State().ClusterID
	_ = c.Close()

	c = open(t, store, Options{Floor: &diskFloor{}})
	d := c.State().Claim(cluster.Claim{ID: 1, DiskUUID: "disk-b"}, cluster.Observation{})
	if d.Verdict != cluster.Register {
		t.Fatalf("claim after a clean stop: %+v", d)
	}
	b := registerAgent(t, c, 1, "disk-b")
	if b.Incarnation <= a.Incarnation || c.State().ClusterID != clusterID {
		t.Fatalf("incarnation %d after %d, cluster %s", b.Incarnation, a.Incarnation, c.State().ClusterID)
	}
	p, ok := c.State().Partition(tp)
	if !ok || p.Leader != 1 || p.LeaderEpoch != 1 {
		t.Fatalf("partition %+v", p)
	}
	h, err := c.Partition(tp).Load(t.Context())
	if err != nil || h.SealedEnd() != 10 || h.TopicName != "flights" {
		t.Fatalf("manifest %+v, %v", h, err)
	}
	mustSeal(t, c, tp, 10, p.LeaderEpoch)
	more, err := c.AllocateProducerIDs(t.Context(), 1)
	if err != nil || more.Base < ids.Next {
		t.Fatalf("producer ids %v after %v, %v", more, ids, err)
	}
	check(t, store)
}

func TestASupersededIncarnationCommitsNothing(t *testing.T) {
	store := mem.New()
	old := open(t, store, Options{})
	registerAgent(t, old, 1, "disk")
	newer := open(t, store, Options{})
	registerAgent(t, newer, 1, "disk")
	_, err := old.Commit(t.Context(), cluster.AlterConfigs{
		AllAgents: true, Set: map[string]string{"a": "b"},
	})
	mustBe(t, err, cluster.ErrSuperseded)
	mustBe(t, old.Superseded(), cluster.ErrSuperseded)
	if newer.Superseded() != nil {
		t.Fatal(newer.Superseded())
	}
}

func TestARestoredOldBucketIsRefused(t *testing.T) {
	store := mem.New()
	floor := &diskFloor{}
	c := open(t, store, Options{Floor: floor})
	registerAgent(t, c, 1, "disk")
	backup := clone(t, store)
	createTopic(t, c, "later", 1)
	_, err := Open(t.Context(), backup, Options{Create: true, Floor: floor})
	mustBe(t, err, ErrRolledBack)
	_, err = Open(t.Context(), mem.New(), Options{Create: true, Floor: floor})
	mustBe(t, err, ErrRolledBack)
}

func TestABucketRestoredUnderARunningAgentIsRefused(t *testing.T) {
	store := mem.New()
	c := open(t, store, Options{})
	registerAgent(t, c, 1, "disk")
	topic := createTopic(t, c, "t", 1)
	tp := kafka.TopicPartition{Topic: topic.ID}
	mustSeal(t, c, tp, 0, 0)
	backup := clone(t, store)
	mustSeal(t, c, tp, 10, 0)
	createTopic(t, c, "later", 1)
	other := open(t, backup, Options{})
	c.load.reg = other.load.reg
	_, err := c.Refresh(t.Context())
	mustBe(t, err, ErrRolledBack)
	p := c.Partition(tp)
	p.reg = other.Partition(tp).reg
	_, err = p.Load(t.Context())
	mustBe(t, err, ErrRolledBack)
}

func TestAForeignBucketIsRefused(t *testing.T) {
	floor := &diskFloor{}
	open(t, mem.New(), Options{Floor: floor})
	other := mem.New()
	c := open(t, other, Options{})
	registerAgent(t, c, 1, "x")
	_, err := Open(t.Context(), other, Options{Floor: floor})
	mustBe(t, err, ErrForeign)
}

func TestAMissingCatalogIsNotCreatedUnasked(t *testing.T) {
	store := mem.New()
	_, err := Open(t.Context(), store, Options{})
	mustBe(t, err, ErrNotFound)
	_, err = OpenReader(t.Context(), store)
	mustBe(t, err, ErrNotFound)
}

func TestCommitsThatArriveTogetherShareASwap(t *testing.T) {
	store := faulty.New(mem.New())
	c := open(t, store, Options{})
	registerAgent(t, c, 1, "disk")
	const n = 100
	var wg sync.WaitGroup
	puts := requests(store, faulty.Put, func() {
		for i := range n {
			wg.Go(func() {
				_, err := c.Commit(t.Context(), cluster.CreateTopic{
					ID: NewTopicID(), Name: fmt.Sprint("t", i%(n/2)), Assignments: [][]int32{{1}},
				})
				if err != nil && !errors.Is(err, cluster.ErrTopicExists) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
	if c.State().TopicCount() != n/2 || puts > n/2 {
		t.Fatalf("%d topics by %d puts", c.State().TopicCount(), puts)
	}
}

// TestEveryCallEveryWay fails each store call of a commit and an edit in each way, one at a time:
// what was acknowledged is there after a restart, what was refused is not, and nothing is done
// twice.
func TestEveryCallEveryWay(t *testing.T) {
	run := func(store *faulty.Store) (acked []string, sealed kafka.Offset, tp kafka.TopicPartition) {
		c, err := Open(t.Context(), store, Options{Create: true, Register: quick()})
		if err != nil {
			return nil, 0, tp
		}
		defer func() { _ = c.Close() }()
		_, err = c.Register(t.Context(), cluster.RegisterAgent{
			Agent: cluster.Agent{ID: 1, DiskUUID: "d", FormatMax: 1},
		})
		if err != nil {
			return nil, 0, tp
		}
		for _, name := range []string{"a", "b"} {
			id := NewTopicID()
			_, err := c.Commit(t.Context(), cluster.CreateTopic{
				ID: id, Name: name, Assignments: [][]int32{{1}},
			})
			if err == nil {
				acked = append(acked, name)
				tp = kafka.TopicPartition{Topic: id}
			}
		}
		for range 3 {
			if e, err := seal(t.Context(), c, tp, sealed, 0); err == nil {
				sealed = e.NextOffset
			} else if h, err := c.Partition(tp).Load(t.Context()); err == nil {
				sealed = max(sealed, h.SealedEnd())
			}
		}
		return acked, sealed, tp
	}
	probe := faulty.New(mem.New())
	run(probe)
	for n, call := range probe.Calls() {
		for _, fault := range faulty.Faults(call.Op, !call.Cond.Always()) {
			store := faulty.New(mem.New())
			store.FailCall(n+1, fault)
			acked, sealed, tp := run(store)
			store.Quiet()
			store.Land(t.Context())
			c := open(t, store, Options{})
			for _, name := range acked {
				if _, ok := c.State().Topic(name); !ok {
					t.Errorf("call %d (%s %s) %s: topic %s is lost", n+1, call.Op, call.Key, fault, name)
				}
			}
			h, err := c.Partition(tp).Load(t.Context())
			if err != nil || h.SealedEnd() < sealed {
				t.Errorf("call %d (%s %s) %s: sealed %d, manifest %d, %v", n+1, call.Op, call.Key, fault,
					sealed, h.SealedEnd(), err)
			}
			check(t, store)
		}
	}
}

func TestRandomFaultsLoseNoAcknowledgedTopic(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		store := faulty.New(mem.New())
		agents := []*Catalog{open(t, store, Options{}), open(t, store, Options{})}
		for i, c := range agents {
			registerAgent(t, c, int32(i+1), fmt.Sprint("disk", i))
		}
		store.Random(seed, 0.2)
		acked := map[string]bool{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, c := range agents {
			wg.Go(func() {
				for j := range 8 {
					name := fmt.Sprintf("t%d-%d", i, j)
					_, err := c.Commit(t.Context(), cluster.CreateTopic{
						ID: NewTopicID(), Name: name, Assignments: [][]int32{{1}},
					})
					mu.Lock()
					acked[name] = err == nil
					if errors.Is(err, cluster.ErrTopicExists) {
						t.Errorf("seed %d: %s was created twice", seed, name)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		store.Quiet()
		store.Land(context.Background())
		r, err := OpenReader(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		for name, ok := range acked {
			if _, there := r.State().Topic(name); ok && !there {
				t.Fatalf("seed %d: %s was acknowledged and is lost", seed, name)
			}
		}
		for _, c := range agents {
			s, err := c.Refresh(t.Context())
			if err != nil || !sameState(s, r.State()) {
				t.Fatalf("seed %d: V9: two agents at version %d differ, %v", seed, s.Version, err)
			}
		}
	}
}

// sameState compares all that two states say.
func sameState(a, b *cluster.State) bool {
	_, differ := cluster.Diff(a, b, 0)
	if !differ {
		return true
	}
	x, _ := cluster.Diff(cluster.NewState(a.ClusterID), a, 1)
	y, _ := cluster.Diff(cluster.NewState(b.ClusterID), b, 1)
	return reflect.DeepEqual(x, y)
}

func TestManyCommitsMoveIntoSnapshotsAndReopenTheSame(t *testing.T) {
	store := mem.New()
	c := open(t, store, Options{})
	registerAgent(t, c, 1, "disk")
	for i := range 40 {
		createTopic(t, c, fmt.Sprintf("topic-%03d", i), 150)
	}
	follower, err := OpenReader(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := c.view().root
	if len(before.Snapshot.Pages) < 3 || len(before.Deltas)+len(before.Inline) != 0 {
		t.Fatalf("root %+v", before)
	}
	topic, _ := c.State().Topic("topic-000")
	_, err = c.Commit(t.Context(), cluster.AlterConfigs{
		Topic: topic.ID, Set: map[string]string{"retention.ms": "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, reused := c.view().root, 0
	for _, p := range after.Snapshot.Pages {
		for _, q := range before.Snapshot.Pages {
			if p == q {
				reused++
			}
		}
	}
	if reused < len(before.Snapshot.Pages)-2 {
		t.Fatalf("%d of %d pages were named again", reused, len(before.Snapshot.Pages))
	}
	s, err := follower.Refresh(t.Context())
	if err != nil || !sameState(s, c.State()) {
		t.Fatalf("a reader that stayed behind: %v", err)
	}
	r, err := OpenReader(t.Context(), store)
	if err != nil || !sameState(r.State(), c.State()) {
		t.Fatalf("a new reader: %v", err)
	}
	check(t, store)
}
