package bucket

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/query/table"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

// formatConfig is the topic setting that says how values are read.
const formatConfig = "varve.value.format"

// Source reads the topics of one bucket. Make one with Open.
type Source struct {
	store   *counted
	catalog *catalog.Reader
	footers *cache.Footers
	replay  *replay.Reader
	// isolation is fixed before the first batch is read.
	isolation replay.Isolation

	mu         sync.Mutex
	partitions map[kafka.TopicPartition]*catalog.PartitionManifest
}

var _ table.Source = (*Source)(nil)

// Open reads the cluster state of the bucket. catalog.ErrNotFound: the bucket holds no catalog. The
// store stays the caller's.
func Open(ctx context.Context, store objstore.Store, cfg replay.Config) (*Source, error) {
	s := &Source{
		store:      &counted{Store: store},
		partitions: make(map[kafka.TopicPartition]*catalog.PartitionManifest),
	}
	var err error
	if s.catalog, err = catalog.OpenReader(ctx, s.store); err != nil {
		return nil, fmt.Errorf("read the catalog of %s: %w", store.URL(), err)
	}
	s.footers = cache.NewFooters(s.store, cache.DefaultFooterConfig(), nil)
	if s.replay, err = replay.New(s.store, s.footers, cfg, nil); err != nil {
		s.footers.Close()
		return nil, err
	}
	return s, nil
}

// SetIsolation says which records of transactions are rows; before the first use. ReadCommitted is the
// default.
func (s *Source) SetIsolation(i replay.Isolation) { s.isolation = i }

// Close frees what the source holds in memory. Readers must be closed before.
func (s *Source) Close() error {
	s.footers.Close()
	return nil
}

// Topics implements table.Source.
func (s *Source) Topics(context.Context) ([]string, error) {
	var names []string
	for _, t := range s.catalog.State().Topics() {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names, nil
}

// Topic implements table.Source.
func (s *Source) Topic(_ context.Context, name string) (table.Topic, error) {
	state := s.catalog.State()
	t, ok := state.Topic(name)
	if !ok {
		return table.Topic{}, fmt.Errorf("topic %q: %w", name, table.ErrUnknownTopic)
	}
	f, err := valueFormat(state, t)
	if err != nil {
		return table.Topic{}, fmt.Errorf("topic %q: %w", name, err)
	}
	return table.Topic{
		Name: name, ID: t.ID, Partitions: int32(len(t.Partitions)), ValueFormat: f,
	}, nil
}

func valueFormat(state *cluster.State, t *cluster.Topic) (table.ValueFormat, error) {
	if f, ok := t.Configs[formatConfig]; ok {
		return table.ParseValueFormat(f)
	}
	return table.ParseValueFormat(state.DefaultConfigs()[formatConfig])
}

// Traffic implements table.Source.
func (s *Source) Traffic() table.Traffic { return s.store.traffic() }

// partition finds a manifest and loads its head when that was not done yet.
func (s *Source) partition(ctx context.Context, tp kafka.TopicPartition,
) (*catalog.PartitionManifest, manifest.Head, error) {
	s.mu.Lock()
	p := s.partitions[tp]
	if p == nil {
		p = s.catalog.Partition(tp)
		s.partitions[tp] = p
	}
	s.mu.Unlock()
	if h, ok := p.Head(); ok {
		return p, h, nil
	}
	h, err := p.Load(ctx)
	if err != nil {
		return nil, h, fmt.Errorf("read manifest of partition %s: %w", tp, err)
	}
	return p, h, nil
}

// Segments implements table.Source: pages that the bounds exclude are not read.
func (s *Source) Segments(ctx context.Context, tp kafka.TopicPartition, b table.Bounds,
) iter.Seq2[table.Segment, error] {
	return func(yield func(table.Segment, error) bool) {
		p, head, err := s.partition(ctx, tp)
		if err != nil {
			yield(table.Segment{}, err)
			return
		}
		l := lister{p: p, start: head.LogStartOffset, bounds: b, yield: yield}
		for _, ref := range slices.Concat(head.Indexes, head.Pages) {
			if !l.page(ctx, ref) {
				return
			}
		}
		for _, e := range head.Tail {
			if !l.entry(e) {
				return
			}
		}
	}
}

// lister yields a partition's segments; its methods return false when no more are wanted.
type lister struct {
	p      *catalog.PartitionManifest
	start  kafka.Offset
	bounds table.Bounds
	yield  func(table.Segment, error) bool
}

func (l *lister) entry(e manifest.Entry) bool {
	return e.NextOffset <= l.start || l.yield(table.Segment{
		Offsets:      kafka.OffsetRange{Base: max(e.BaseOffset, l.start), Next: e.NextOffset},
		MinTimestamp: e.MinTimestamp, MaxTimestamp: e.MaxTimestamp,
		Bytes: e.Bytes, Records: e.Records, Count: 1,
	}, nil)
}

func (l *lister) page(ctx context.Context, ref manifest.PageRef) bool {
	if ref.NextOffset <= l.start {
		return true
	}
	summary := table.Segment{
		Offsets:      kafka.OffsetRange{Base: max(ref.BaseOffset, l.start), Next: ref.NextOffset},
		MinTimestamp: ref.MinTimestamp, MaxTimestamp: ref.MaxTimestamp,
		Bytes: ref.Bytes, Records: ref.Records, Count: ref.Segments,
	}
	if l.bounds.Clip(l.p.TP().Partition, summary).Empty() {
		return l.yield(summary, nil)
	}
	for e, err := range l.p.Entries(ctx, summary.Offsets.Base) {
		if err != nil {
			l.yield(table.Segment{}, err)
			return false
		}
		if e.BaseOffset >= ref.NextOffset {
			return true
		}
		if !l.entry(e) {
			return false
		}
	}
	return true
}
