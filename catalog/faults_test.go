package catalog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
)

// TestLeadersThatChangeUnderFaultsKeepTheManifestDense lets processes take the lead from each other
// while the store fails at random, old leaders going on as if nothing happened. In the end the manifest
// is dense (V8), holds every acknowledged segment once, and nothing of a fenced epoch came in after its
// successor's first edit.
func TestLeadersThatChangeUnderFaultsKeepTheManifestDense(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		if err := changeLeaders(t, seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

type leader struct {
	c     *Catalog
	epoch kafka.LeaderEpoch
}

func changeLeaders(t *testing.T, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	store := faulty.New(mem.New())
	first := open(t, store, Options{Limits: smallPages})
	registerAgent(t, first, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, first, "t", 1).ID}
	leaders := []leader{{c: first}}
	acked := map[string]kafka.Offset{}
	for range 60 {
		store.Random(rng.Uint64(), 0.15)
		if rng.IntN(10) == 0 {
			store.Quiet()
			c := open(t, store, Options{Limits: smallPages})
			registerAgent(t, c, 1, "disk")
			p, _ := c.State().Partition(tp)
			leaders = append(leaders, leader{c: c, epoch: p.LeaderEpoch})
			continue
		}
		l := leaders[rng.IntN(len(leaders))]
		h, err := l.c.Partition(tp).Load(t.Context())
		if err != nil {
			continue
		}
		e, err := seal(t.Context(), l.c, tp, h.SealedEnd(), l.epoch)
		if err == nil {
			acked[e.UID] = e.BaseOffset
		}
		if err == nil && l.epoch < h.FenceEpoch {
			return fmt.Errorf("epoch %d sealed below fence %d", l.epoch, h.FenceEpoch)
		}
	}
	store.Quiet()
	store.Land(t.Context())
	check(t, store)
	r, err := OpenReader(t.Context(), store)
	if err != nil {
		return err
	}
	epoch := kafka.LeaderEpoch(0)
	for e, err := range r.Partition(tp).Entries(t.Context(), 0) {
		if err != nil {
			return err
		}
		if e.LeaderEpoch < epoch {
			return fmt.Errorf("epoch %d after %d at %d", e.LeaderEpoch, epoch, e.BaseOffset)
		}
		epoch = e.LeaderEpoch
		delete(acked, e.UID)
	}
	if len(acked) > 0 {
		return fmt.Errorf("acknowledged and lost: %v", acked)
	}
	return nil
}

func TestAFailingFloorIsNotTakenForARefusal(t *testing.T) {
	floor := &failingFloor{}
	c := open(t, mem.New(), Options{Floor: floor})
	registerAgent(t, c, 1, "disk")
	floor.err = errors.New("disk is full")
	alter := cluster.AlterConfigs{AllAgents: true, Set: map[string]string{"a": "b"}}
	_, err := c.Commit(t.Context(), alter)
	mustBe(t, err, ErrUnknownOutcome)
	mustBe(t, err, floor.err)
	floor.err = nil
	s, err := c.Refresh(t.Context())
	if err != nil || s.DefaultConfigs()["a"] != "b" {
		t.Fatalf("%v, %v", s.DefaultConfigs(), err)
	}
}

type failingFloor struct {
	diskFloor
	err error
}

func (f *failingFloor) RaiseFloor(id string, version int64) error {
	return errors.Join(f.err, f.diskFloor.RaiseFloor(id, version))
}

func TestANewerWritersManifestIsReadNotWritten(t *testing.T) {
	store := mem.New()
	newer := quick()
	newer.WriterFormat, newer.MinWriter = manifest.WriterFormat+1, manifest.WriterFormat+1
	c, err := Open(t.Context(), store, Options{Create: true, Register: newer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
	mustSeal(t, c, tp, 0, 0)
	old := open(t, store, Options{})
	alter := cluster.AlterConfigs{AllAgents: true, Set: map[string]string{"a": "b"}}
	_, err = old.Commit(t.Context(), alter)
	mustBe(t, err, register.ErrFormat)
	_, err = old.Partition(tp).Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
		return h.Fence(5)
	})
	mustBe(t, err, register.ErrFormat)
}
