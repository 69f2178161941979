package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// Catalog is an agent's way to the cluster state and to the manifests. Make one with Open.
type Catalog struct {
	store   objstore.Store
	opts    Options
	load    loader
	clock   *storeClock
	parts   *partitions
	ledgers *ledgers

	// ctx lives until Close; commits and snapshots run under it, not under a caller's.
	ctx    context.Context //nolint:containedctx // the lifetime of goroutines that Close ends
	cancel context.CancelFunc
	work   sync.WaitGroup

	state atomic.Pointer[cluster.State]

	// headMu serialises swaps of the cluster head by this process.
	headMu sync.Mutex

	mu       sync.Mutex // guards all below
	cur      *view
	watchers map[int]func(*cluster.State)
	nextID   int
	self     cluster.RequireIncarnation // whose commits these are; Incarnation 0: not registered
	queue    []*commit
	running  bool
	snapping bool
	closed   bool

	idsMu sync.Mutex // serialises AllocateProducerIDs
}

// Open reads the catalog of a bucket, or makes a new one (Options.Create).
//
// Errors: ErrNotFound, ErrRolledBack, ErrForeign, and those of the store. The caller has probed the
// store before (objstore.Probe).
func Open(ctx context.Context, store objstore.Store, opts Options) (*Catalog, error) {
	opts = opts.withDefaults()
	c := &Catalog{
		store: store, opts: opts, watchers: map[int]func(*cluster.State){},
		load:  loader{store: store, reg: register.New(store, cluster.HeadKey, opts.Register)},
		clock: &storeClock{store: store, now: opts.Now},
	}
	c.parts = newPartitions(store, opts, c.clock, false)
	c.ledgers = newLedgers(store, opts, false)
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	v, err := c.openView(ctx)
	if err != nil {
		c.cancel()
		return nil, fmt.Errorf("open catalog in %s: %w", store.URL(), err)
	}
	if err := c.adopt(v); err != nil {
		c.cancel()
		return nil, fmt.Errorf("open catalog in %s: %w", store.URL(), err)
	}
	return c, nil
}

// openView loads the newest view or creates the first, and holds it against the floor.
func (c *Catalog) openView(ctx context.Context) (*view, error) {
	var floorID string
	var floor int64
	if c.opts.Floor != nil {
		floorID, floor = c.opts.Floor.Floor()
	}
	v, err := c.load.load(ctx, nil)
	for try := 0; errors.Is(err, register.ErrNotFound) && try < CommitTries; try++ {
		if floorID != "" {
			return nil, fmt.Errorf("%w: it is missing, and the data directory belongs to cluster %s; "+
				"check --store", ErrRolledBack, floorID)
		}
		if !c.opts.Create {
			return nil, err
		}
		v, err = c.create(ctx, v)
	}
	if err != nil {
		return nil, err
	}
	if err := admits(floorID, floor, v.root.ClusterID, v.head.Version); err != nil {
		return nil, err
	}
	return v, nil
}

// create makes a new cluster over what was found: nothing, or a head that was never committed.
func (c *Catalog) create(ctx context.Context, found *view) (*view, error) {
	var prev register.Head
	if found != nil {
		prev = found.head
	}
	root := cluster.Root{ClusterID: NewClusterID()}
	body, err := cluster.EncodeRoot(root)
	if err != nil {
		return nil, err
	}
	if _, err := c.load.reg.SwapSettled(ctx, prev, body); err != nil &&
		!errors.Is(err, register.ErrConflict) {
		return nil, err
	}
	v, err := c.load.load(ctx, nil)
	if err == nil && v.root.ClusterID == root.ClusterID {
		c.opts.Logger.Info("new cluster", "cluster_id", root.ClusterID, "store", c.store.URL())
	}
	return v, err
}

// adopt makes v the newest view unless a newer one is there. The floor is raised first, so that
// nothing is done on a version that the disk could forget.
func (c *Catalog) adopt(v *view) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cur != nil && v.head.Version <= c.cur.head.Version {
		return nil
	}
	if c.opts.Floor != nil {
		if err := c.opts.Floor.RaiseFloor(v.root.ClusterID, v.head.Version); err != nil {
			return fmt.Errorf("remember catalog version %d: %w", v.head.Version, err)
		}
	}
	c.cur = v
	c.state.Store(v.state)
	c.opts.Metrics.version.Set(float64(v.head.Version))
	for _, fn := range c.watchers {
		fn(v.state)
	}
	return nil
}

func (c *Catalog) view() *view {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cur
}

// State is the newest state that this catalog knows. It does not block.
func (c *Catalog) State() *cluster.State { return c.state.Load() }

// Store is the bucket.
func (c *Catalog) Store() objstore.Store { return c.store }

// StoreNow is the time by the store's clock, by which retirement and grace are measured. It asks
// the store at most every ten minutes.
func (c *Catalog) StoreNow(ctx context.Context) (time.Time, error) { return c.clock.Now(ctx) }

// Refresh looks at the head, one GET when nothing changed, and gives the newest state.
// ErrRolledBack and ErrForeign mean that the agent must stop.
func (c *Catalog) Refresh(ctx context.Context) (*cluster.State, error) {
	v, err := c.load.load(ctx, c.view())
	if err == nil {
		err = c.adopt(v)
	}
	c.opts.Metrics.refreshes.WithLabelValues(outcome(err)).Inc()
	if err != nil {
		return nil, fmt.Errorf("refresh catalog: %w", err)
	}
	return c.State(), nil
}

// Watch calls fn with each newer state, in order, until cancel. fn must not block and must not call
// the catalog but for State. The state at the time of the call is not reported.
func (c *Catalog) Watch(fn func(*cluster.State)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextID
	c.nextID++
	c.watchers[id] = fn
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, id)
	}
}

// Superseded returns nil while the incarnation that Register began is the newest of its agent, by
// the newest state known; else an error that wraps cluster.ErrSuperseded: the process must exit.
func (c *Catalog) Superseded() error {
	c.mu.Lock()
	self := c.self
	c.mu.Unlock()
	if self.Incarnation == 0 {
		return nil
	}
	_, err := self.Apply(c.State())
	return err
}

// Partition is the manifest of a partition. The same one is given for the same partition each time.
func (c *Catalog) Partition(tp kafka.TopicPartition) *PartitionManifest {
	name := ""
	if t, ok := c.State().TopicByID(tp.Topic); ok {
		name = t.Name
	}
	return c.parts.get(tp, name)
}

// Forget drops the manifest of a partition from memory, when the agent has nothing to do with it
// any more. No edit may be under way.
func (c *Catalog) Forget(tp kafka.TopicPartition) { c.parts.forget(tp) }

// Close waits for commits that are under way and refuses new ones. It does not close the store.
func (c *Catalog) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.work.Wait()
	c.cancel()
	return nil
}
