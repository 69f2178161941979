package catalog

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
)

// quick makes retries wait microseconds.
func quick() register.Config {
	c := register.DefaultConfig()
	c.BackoffMin, c.BackoffMax = time.Microsecond, 10*time.Microsecond
	return c
}

func open(t *testing.T, store objstore.Store, o Options) *Catalog {
	t.Helper()
	o.Create, o.Register = true, quick()
	c, err := Open(t.Context(), store, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// diskFloor remembers as a data directory does.
type diskFloor struct {
	id      string
	version int64
}

func (f *diskFloor) Floor() (string, int64) { return f.id, f.version }

func (f *diskFloor) RaiseFloor(id string, version int64) error {
	f.id, f.version = id, max(f.version, version)
	return nil
}

func registerAgent(t *testing.T, c *Catalog, id int32, disk string) *cluster.Agent {
	t.Helper()
	a, err := c.Register(t.Context(), cluster.RegisterAgent{
		Agent: cluster.Agent{ID: id, DiskUUID: disk, Advertised: "h:9092", FormatMax: 1},
	}, cluster.StartLeading{Agent: id})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func createTopic(t *testing.T, c *Catalog, name string, partitions int) *cluster.Topic {
	t.Helper()
	change := cluster.CreateTopic{ID: NewTopicID(), Name: name}
	for range partitions {
		change.Assignments = append(change.Assignments, []int32{1})
	}
	s, err := c.Commit(t.Context(), change)
	if err != nil {
		t.Fatal(err)
	}
	topic, ok := s.Topic(name)
	if !ok {
		t.Fatalf("topic %s is not in the state that its commit returned", name)
	}
	return topic
}

// seal uploads and adds a segment of ten offsets at base.
func seal(ctx context.Context, c *Catalog, tp kafka.TopicPartition, base kafka.Offset,
	epoch kafka.LeaderEpoch,
) (manifest.Entry, error) {
	raw := []byte(fmt.Sprintf("segment at %d of epoch %d", base, epoch))
	e := manifest.Entry{
		BaseOffset: base, NextOffset: base + 10, LeaderEpoch: epoch, UID: NewUID(),
		Bytes: int64(len(raw)), DataBytes: int64(len(raw)), CRC32C: objstore.Checksum(raw), Records: 10,
		MinTimestamp: kafka.Timestamp(base), MaxTimestamp: kafka.Timestamp(base + 9), Format: 1,
	}
	err := putObject(ctx, c.Store(), cluster.Object{Key: e.Key(tp), Bytes: raw})
	if err != nil {
		return e, err
	}
	_, err = c.Partition(tp).Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		return h.AddSegment(manifest.Segment{
			Entry: e, Epochs: []kafka.EpochStart{{Epoch: epoch, StartOffset: base}},
		}, epoch)
	})
	if err != nil {
		return e, err
	}
	_, err = c.Partition(tp).Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		return h.Verify(e.NextOffset, epoch)
	})
	return e, err
}

func mustSeal(t *testing.T, c *Catalog, tp kafka.TopicPartition, base kafka.Offset,
	epoch kafka.LeaderEpoch,
) manifest.Entry {
	t.Helper()
	e, err := seal(t.Context(), c, tp, base, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// clone copies a bucket.
func clone(t *testing.T, from objstore.Store) *mem.Store {
	t.Helper()
	to := mem.New()
	err := EachObject(t.Context(), from, "", func(ctx context.Context, os []objstore.Info) error {
		for _, o := range os {
			raw, _, err := objstore.ReadAll(ctx, from, o.Key, 1<<30)
			if err != nil {
				return err
			}
			if _, err := to.Put(ctx, o.Key, objstore.Bytes(raw), objstore.Condition{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// requests counts the calls that fn makes.
func requests(s *faulty.Store, op faulty.Op, fn func()) int {
	before := len(s.Calls())
	fn()
	n := 0
	for _, c := range s.Calls()[before:] {
		if c.Op == op {
			n++
		}
	}
	return n
}

func check(t *testing.T, store objstore.Store) *Report {
	t.Helper()
	r, err := Fsck(t.Context(), store, FsckOptions{Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() {
		t.Fatalf("fsck: %+v", r.Problems)
	}
	return r
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}
