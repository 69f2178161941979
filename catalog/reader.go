package catalog

import (
	"context"
	"fmt"
	"sync"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// Reader reads a catalog and never writes. Replay, query and the command line need only this and
// the bucket.
type Reader struct {
	store   objstore.Store
	load    loader
	parts   *partitions
	ledgers *ledgers

	mu  sync.Mutex
	cur *view
}

// OpenReader loads the newest state. ErrNotFound when the bucket holds no catalog.
func OpenReader(ctx context.Context, store objstore.Store) (*Reader, error) {
	opts := Options{}.withDefaults()
	r := &Reader{
		store: store, parts: newPartitions(store, opts, nil, true),
		ledgers: newLedgers(store, opts, true),
		load:    loader{store: store, reg: register.New(store, cluster.HeadKey, opts.Register)},
	}
	v, err := r.load.load(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("open catalog in %s: %w", store.URL(), err)
	}
	r.cur = v
	return r, nil
}

// Reader gives a reader that begins with the newest state of c and loads manifests of its own.
func (c *Catalog) Reader() *Reader {
	return &Reader{
		store: c.store, load: c.load, cur: c.view(), parts: newPartitions(c.store, c.opts, nil, true),
		ledgers: newLedgers(c.store, c.opts, true),
	}
}

// State is the newest state that was loaded.
func (r *Reader) State() *cluster.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cur.state
}

// Store is the bucket.
func (r *Reader) Store() objstore.Store { return r.store }

// Refresh looks at the head and gives the newest state.
func (r *Reader) Refresh(ctx context.Context) (*cluster.State, error) {
	r.mu.Lock()
	prev := r.cur
	r.mu.Unlock()
	v, err := r.load.load(ctx, prev)
	if err != nil {
		return nil, fmt.Errorf("refresh catalog: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.head.Version > r.cur.head.Version {
		r.cur = v
	}
	return r.cur.state, nil
}

// Partition gives a partition's manifest, read-only: its Edit is ErrReadOnly. Each call gives
// another one, which shares the Reader's page cache; keep it to reuse its head.
func (r *Reader) Partition(tp kafka.TopicPartition) *PartitionManifest {
	name := ""
	if t, ok := r.State().TopicByID(tp.Topic); ok {
		name = t.Name
	}
	return r.parts.open(tp, name)
}

func (r *Reader) view() *view {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cur
}
