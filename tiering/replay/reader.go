package replay

import (
	"context"
	"fmt"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/tiering/cache"
)

// Reader opens iterators over a bucket's partitions. Make one with New.
type Reader struct {
	cfg     Config
	direct  cache.Direct
	footers *cache.Footers
	pool    *pool
	metrics *Metrics
}

// New makes a Reader of the objects in store that keeps footers in footers. Metrics may be nil.
func New(
	store objstore.Store, footers *cache.Footers, cfg Config, m *Metrics,
) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if m == nil {
		m = NewMetrics(nil)
	}
	return &Reader{
		cfg: cfg, direct: cache.Direct{Store: store}, footers: footers,
		pool: newPool(cfg.ChunkBytes, cfg.SpareChunks), metrics: m,
	}, nil
}

// Open begins to read a partition, by the head in memory where one was loaded. Reading ahead starts
// at once and goes on until Close, which the caller owes; ctx bounds only Open itself.
func (r *Reader) Open(ctx context.Context, m Manifest, o Options) (*Iterator, error) {
	head, err := headOf(ctx, m)
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", m.TP(), err)
	}
	end := head.SealedEnd()
	if o.To > 0 && o.To < end {
		end = o.To
	}
	if o.Parallel == 0 {
		o.Parallel = r.cfg.Parallel
	}
	if o.Parallel < 1 || o.Parallel > parallelMax {
		return nil, fmt.Errorf("replay: Parallel is %d; want 1 to %d", o.Parallel, parallelMax)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	start := max(o.From, head.LogStartOffset)
	it := &Iterator{
		r: r, manifest: m, options: o, start: start, position: start, end: max(start, end),
	}
	r.pool.enter()
	it.launch()
	return it, nil
}

// objectOf names the object of an entry.
func objectOf(tp kafka.TopicPartition, e manifest.Entry) cache.Object {
	return cache.Object{Key: e.Key(tp), Size: e.Bytes}
}
