package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// partitions are the manifests that were asked for, one for each partition.
type partitions struct {
	store    objstore.Store
	opts     Options
	clock    *storeClock
	cache    *pageCache
	readOnly bool

	mu   sync.Mutex
	byTP map[kafka.TopicPartition]*PartitionManifest
}

func newPartitions(s objstore.Store, o Options, clock *storeClock, readOnly bool) *partitions {
	return &partitions{
		store: s, opts: o, clock: clock, readOnly: readOnly,
		cache: newPageCache(s, o.Metrics, PageCacheEntriesMax),
		byTP:  map[kafka.TopicPartition]*PartitionManifest{},
	}
}

func (ps *partitions) get(tp kafka.TopicPartition, name string) *PartitionManifest {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p, ok := ps.byTP[tp]
	if !ok {
		p = ps.open(tp, name)
		ps.byTP[tp] = p
	}
	return p
}

func (ps *partitions) open(tp kafka.TopicPartition, name string) *PartitionManifest {
	cfg := ps.opts.Register
	cfg.WriterFormat = max(cfg.WriterFormat, manifest.WriterFormat)
	return &PartitionManifest{
		parts: ps, tp: tp, name: name, editing: make(chan struct{}, 1),
		reg: register.New(ps.store, manifest.HeadKey(tp), cfg),
	}
}

func (ps *partitions) forget(tp kafka.TopicPartition) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.byTP, tp)
}

// PartitionManifest is the manifest of one partition, loaded when first needed.
type PartitionManifest struct {
	parts *partitions
	tp    kafka.TopicPartition
	name  string
	reg   *register.Register

	editing chan struct{} // held by the one edit under way

	mu     sync.Mutex // guards all below
	loaded bool
	head   manifest.Head
	at     register.Head // zero while the bucket has no head
	// unsettled are pages of edits whose outcome is unknown, by the ETag on which the edit rests.
	unsettled map[string][]string
}

// TP names the partition.
func (p *PartitionManifest) TP() kafka.TopicPartition { return p.tp }

// Load reads the head, one GET, and gives it. A partition of which nothing was ever committed has
// the head that manifest.New gives.
func (p *PartitionManifest) Load(ctx context.Context) (manifest.Head, error) {
	at, err := p.reg.Read(ctx)
	switch {
	case errors.Is(err, register.ErrNotFound):
		if p.known() > 0 {
			return manifest.Head{}, fmt.Errorf("load manifest of %s: %w: it is gone", p.tp, ErrRolledBack)
		}
		return p.took(register.Head{}, manifest.New(p.tp, p.name)), nil
	case err != nil:
		return manifest.Head{}, fmt.Errorf("load manifest: %w", err)
	case at.Body == nil:
		return p.took(at, manifest.New(p.tp, p.name)), nil
	}
	if seen := p.known(); at.Version < seen {
		return manifest.Head{}, fmt.Errorf("load manifest of %s: %w: version %d after %d",
			p.tp, ErrRolledBack, at.Version, seen)
	}
	h, err := p.decode(at)
	if err != nil {
		return manifest.Head{}, err
	}
	return p.took(at, h), nil
}

// known is the version of the head in memory, 0 when there is none.
func (p *PartitionManifest) known() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at.Version
}

func (p *PartitionManifest) decode(at register.Head) (manifest.Head, error) {
	h, err := manifest.DecodeHead(at.Body)
	if err != nil {
		return manifest.Head{}, fmt.Errorf("load manifest of %s: %w", p.tp, err)
	}
	if h.TP() != p.tp {
		return manifest.Head{}, fmt.Errorf("load manifest of %s: %w: it is that of %s",
			p.tp, manifest.ErrCorrupt, h.TP())
	}
	return h, nil
}

// took adopts what was read or written and gives the newest head known.
func (p *PartitionManifest) took(at register.Head, h manifest.Head) manifest.Head {
	p.mu.Lock()
	defer p.mu.Unlock()
	for etag := range p.unsettled {
		if etag != at.ETag {
			delete(p.unsettled, etag)
		}
	}
	if !p.loaded || at.Version >= p.at.Version {
		p.loaded, p.at, p.head = true, at, h
	}
	return p.head
}

// Head is the newest head that this process knows; false when none was loaded yet. It does not
// block.
func (p *PartitionManifest) Head() (manifest.Head, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.head, p.loaded
}

// cached is the head, loaded if it was not.
func (p *PartitionManifest) cached(ctx context.Context) (manifest.Head, error) {
	if h, ok := p.Head(); ok {
		return h, nil
	}
	return p.Load(ctx)
}

// Edit swaps the head for what fn makes of it, again on the newest head after each conflict, and
// gives the new head. fn is called at least once, has no effects, and gets to see a head that was
// read in this call before its error is believed. Where it changes nothing, nothing is written.
// Tails that have grown long move to pages on the way.
//
// Errors: fn's (manifest.ErrFenced: stop leading), ErrConflict, ErrUnknownOutcome (look at Load:
// the edit may be or become committed), ErrReadOnly, and those of the store.
func (p *PartitionManifest) Edit(
	ctx context.Context, fn func(manifest.Head) (manifest.Head, error),
) (manifest.Head, error) {
	if p.parts.readOnly {
		return manifest.Head{}, ErrReadOnly
	}
	select {
	case p.editing <- struct{}{}:
		defer func() { <-p.editing }()
	case <-ctx.Done():
		return manifest.Head{}, fmt.Errorf("edit manifest of %s: %w", p.tp, ctx.Err())
	}
	start := time.Now()
	h, err := p.edit(ctx, fn)
	m := p.parts.opts.Metrics
	m.editSeconds.Observe(time.Since(start).Seconds())
	m.edits.WithLabelValues(outcome(err)).Inc()
	return h, err
}

func (p *PartitionManifest) edit(
	ctx context.Context, fn func(manifest.Head) (manifest.Head, error),
) (manifest.Head, error) {
	fresh, err := p.ensureLoaded(ctx)
	if err != nil {
		return manifest.Head{}, err
	}
	for try := range CommitTries {
		at, h := p.current()
		next, err := fn(h)
		if err != nil && !fresh {
			if _, lerr := p.Load(ctx); lerr != nil {
				return manifest.Head{}, lerr
			}
			fresh = true
			continue
		}
		if err != nil || reflect.DeepEqual(h, next) {
			return h, err
		}
		next, err = p.swap(ctx, at, next)
		if !errors.Is(err, register.ErrConflict) {
			return next, err
		}
		p.parts.opts.Metrics.conflicts.WithLabelValues("manifest").Inc()
		if err := jitter(ctx, try); err != nil {
			return manifest.Head{}, fmt.Errorf("edit manifest of %s: %w: %w", p.tp, ErrConflict, err)
		}
		if _, err := p.Load(ctx); err != nil {
			return manifest.Head{}, err
		}
		fresh = true
	}
	return manifest.Head{}, fmt.Errorf("edit manifest of %s: %w: %d times in a row",
		p.tp, ErrConflict, CommitTries)
}

func (p *PartitionManifest) ensureLoaded(ctx context.Context) (fresh bool, err error) {
	if _, ok := p.Head(); ok {
		return false, nil
	}
	_, err = p.Load(ctx)
	return true, err
}

func (p *PartitionManifest) current() (register.Head, manifest.Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at, p.head
}

// swap spills if due, writes the pages, then the head.
func (p *PartitionManifest) swap(
	ctx context.Context, at register.Head, next manifest.Head,
) (manifest.Head, error) {
	next, pages, err := p.spill(ctx, next)
	if err != nil {
		return manifest.Head{}, err
	}
	if err := next.Validate(); err != nil {
		return manifest.Head{}, fmt.Errorf("edit manifest of %s: refuse to write: %w", p.tp, err)
	}
	body, err := manifest.EncodeHead(next)
	if err != nil {
		return manifest.Head{}, fmt.Errorf("edit manifest of %s: %w", p.tp, err)
	}
	uids, err := p.writePages(ctx, at.ETag, pages)
	if err != nil {
		return manifest.Head{}, err
	}
	won, err := p.reg.SwapSettledRaising(ctx, at, body, next.MinWriter())
	if err != nil && !errors.Is(err, register.ErrUnknownOutcome) {
		p.settled(at.ETag)
	}
	switch {
	case errors.Is(err, register.ErrUnknownOutcome):
		p.mu.Lock()
		p.loaded = false
		p.mu.Unlock()
		return manifest.Head{}, fmt.Errorf("edit manifest of %s: %w", p.tp, err)
	case err != nil:
		return manifest.Head{}, fmt.Errorf("edit manifest of %s: %w", p.tp, err)
	case won.Version != at.Version+1:
		if next, err = p.decode(won); err != nil {
			return manifest.Head{}, err
		}
	}
	for i, pg := range pages {
		p.parts.cache.put(manifest.PageName{
			TP: p.tp, LeaderEpoch: pg.Ref.LeaderEpoch, UID: uids[i],
		}.Key(), pg.Page)
	}
	return p.took(won, next), nil
}

func (p *PartitionManifest) spill(
	ctx context.Context, h manifest.Head,
) (manifest.Head, []manifest.NewPage, error) {
	o := p.parts.opts
	need, due := h.SpillNeeds(o.Limits)
	if !due || h.Deleted {
		return h, nil, nil
	}
	loaded := map[string]manifest.Page{}
	var at time.Time
	if len(need) > 0 {
		var err error
		if at, err = p.parts.clock.Now(ctx); err != nil {
			return h, nil, err
		}
	}
	for _, ref := range need {
		pg, err := p.parts.cache.load(ctx, p.tp, ref)
		if damaged(err) {
			// A damaged page must not stop sealing. The spill begins a new one; fsck names this one.
			o.Logger.Error("manifest page is damaged", "object", ref.Key(p.tp), "err", err)
			continue
		}
		if err != nil {
			return h, nil, err
		}
		loaded[ref.UID] = pg
	}
	h, pages := h.Spill(o.Limits, loaded, h.FenceEpoch, at, o.NewUID)
	return h, pages, nil
}

// writePages puts the pages that a swap on etag will refer to.
func (p *PartitionManifest) writePages(
	ctx context.Context, etag string, pages []manifest.NewPage,
) ([]string, error) {
	if len(pages) == 0 {
		return nil, nil
	}
	uids := make([]string, len(pages))
	for i, pg := range pages {
		uids[i] = pg.Ref.UID
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("write manifest page: %w", err)
	}
	p.mu.Lock()
	if p.unsettled == nil {
		p.unsettled = map[string][]string{}
	}
	p.unsettled[etag] = append(p.unsettled[etag], uids...)
	p.mu.Unlock()
	for _, pg := range pages {
		raw, err := manifest.EncodePage(pg.Page)
		if err != nil {
			return nil, err
		}
		o := cluster.Object{Key: pg.Ref.Key(p.tp), Bytes: raw}
		if err := putObject(ctx, p.parts.store, o); err != nil {
			return nil, fmt.Errorf("write manifest page: %w", err)
		}
	}
	return uids, nil
}

func (p *PartitionManifest) settled(etag string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.unsettled, etag)
}

// PageInFlight reports whether an edit of this process may still commit the page of that uid. A
// sweep by the partition's own leader leaves such pages alone.
func (p *PartitionManifest) PageInFlight(uid string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, uids := range p.unsettled {
		for _, u := range uids {
			if u == uid {
				return true
			}
		}
	}
	return false
}
