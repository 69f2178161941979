package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
)

// Find gives the segment that contains the offset o, or, where o lies in a hole that compaction
// left, the first one after it; false when o is at or above SealedEnd or below the log start
// offset. It uses the head in memory, loading it if there is none, and at most two pages.
func (p *PartitionManifest) Find(
	ctx context.Context, o kafka.Offset,
) (manifest.Entry, bool, error) {
	if h, err := p.cached(ctx); err != nil {
		return manifest.Entry{}, false, err
	} else if o < h.LogStartOffset || o >= h.SealedEnd() {
		return manifest.Entry{}, false, nil
	}
	return p.first(ctx, query{from: o, minMax: kafka.NoTimestamp})
}

// FindTime gives the first segment, by offset, that holds a record with timestamp ts or later and
// ends above the log start offset. Where that record turns out to lie below the log start offset,
// go on with FindTimeFrom. At most two pages, and one more where the log start lies inside a page.
func (p *PartitionManifest) FindTime(
	ctx context.Context, ts kafka.Timestamp,
) (manifest.Entry, bool, error) {
	return p.FindTimeFrom(ctx, ts, 0)
}

// FindTimeFrom is FindTime among the segments that end above from.
func (p *PartitionManifest) FindTimeFrom(
	ctx context.Context, ts kafka.Timestamp, from kafka.Offset,
) (manifest.Entry, bool, error) {
	return p.first(ctx, query{from: from, minMax: max(ts, 0)})
}

// Entries iterates over the segments that end above from, and above the log start offset, in offset
// order, loading pages one at a time. It begins with the head in memory. A page that was swept
// meanwhile makes it go on from a newer head.
func (p *PartitionManifest) Entries(
	ctx context.Context, from kafka.Offset,
) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		err := p.walk(ctx, query{from: from, minMax: kafka.NoTimestamp},
			func(e manifest.Entry) bool { return yield(e, nil) })
		if err != nil {
			yield(manifest.Entry{}, err)
		}
	}
}

// Unswept iterates, like Entries, over all segments that the head refers to and whose objects are
// not deleted: those that expired too.
func (p *PartitionManifest) Unswept(ctx context.Context) iter.Seq2[manifest.Entry, error] {
	return func(yield func(manifest.Entry, error) bool) {
		h, err := p.cached(ctx)
		if err == nil {
			err = p.walk(ctx, query{from: h.SweptEnd, minMax: kafka.NoTimestamp, expired: true},
				func(e manifest.Entry) bool { return yield(e, nil) })
		}
		if err != nil {
			yield(manifest.Entry{}, err)
		}
	}
}

// Pages gives the references to all pages that the head needs, those inside index pages included.
func (p *PartitionManifest) Pages(ctx context.Context) ([]manifest.PageRef, error) {
	h, err := p.cached(ctx)
	if err != nil {
		return nil, err
	}
	return p.PagesBelow(ctx, slices.Concat(h.Indexes, h.Pages))
}

// PagesBelow gives refs and, where one is an index page, the references inside it.
func (p *PartitionManifest) PagesBelow(
	ctx context.Context, refs []manifest.PageRef,
) ([]manifest.PageRef, error) {
	var all []manifest.PageRef
	for _, r := range refs {
		all = append(all, r)
		if !r.Index {
			continue
		}
		pg, err := p.parts.cache.load(ctx, p.tp, r)
		if err != nil {
			return nil, fmt.Errorf("read manifest of %s: %w", p.tp, err)
		}
		all = append(all, pg.Refs...)
	}
	return all, nil
}

// Holds finds the entry of exactly this object, expired or not; false when the head does not refer
// to it.
func (p *PartitionManifest) Holds(
	ctx context.Context, n manifest.SegmentName,
) (manifest.Entry, bool, error) {
	e, ok, err := p.first(ctx,
		query{from: n.BaseOffset, minMax: kafka.NoTimestamp, expired: true})
	if err != nil || !ok {
		return manifest.Entry{}, false, err
	}
	same := e.BaseOffset == n.BaseOffset && e.LeaderEpoch == n.LeaderEpoch && e.UID == n.UID
	return e, same, nil
}

// MaxTimestamp gives the first segment that holds the highest timestamp of the sealed part; false
// when there is none.
func (p *PartitionManifest) MaxTimestamp(ctx context.Context) (manifest.Entry, bool, error) {
	h, err := p.cached(ctx)
	if err != nil {
		return manifest.Entry{}, false, err
	}
	most := kafka.NoTimestamp
	for _, r := range slices.Concat(h.Indexes, h.Pages) {
		if r.NextOffset > h.LogStartOffset {
			most = max(most, r.MaxTimestamp)
		}
	}
	for _, e := range h.Tail {
		if e.NextOffset > h.LogStartOffset {
			most = max(most, e.MaxTimestamp)
		}
	}
	for most >= 0 {
		e, ok, err := p.FindTime(ctx, most)
		if err != nil || ok {
			return e, ok, err
		}
		// The page at the log start promised a timestamp that has expired: look at all that is live.
		most = kafka.NoTimestamp
		for e, err := range p.Entries(ctx, h.LogStartOffset) {
			if err != nil {
				return manifest.Entry{}, false, err
			}
			most = max(most, e.MaxTimestamp)
		}
	}
	return manifest.Entry{}, false, nil
}

// DataBytes is the exact sum of DataBytes over the segments that end above the log start offset. It
// loads the pages around the log start offset only.
func (p *PartitionManifest) DataBytes(ctx context.Context) (int64, error) {
	h, err := p.cached(ctx)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, e := range h.Tail {
		if e.NextOffset > h.LogStartOffset {
			sum += e.DataBytes
		}
	}
	for _, r := range slices.Concat(h.Indexes, h.Pages) {
		n, err := p.refBytes(ctx, r, h.LogStartOffset)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (p *PartitionManifest) refBytes(
	ctx context.Context, r manifest.PageRef, start kafka.Offset,
) (int64, error) {
	if r.NextOffset <= start {
		return 0, nil
	}
	if r.BaseOffset >= start {
		return r.DataBytes, nil
	}
	pg, err := p.parts.cache.load(ctx, p.tp, r)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, c := range pg.Refs {
		n, err := p.refBytes(ctx, c, start)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	for _, e := range pg.Entries {
		if e.NextOffset > start {
			sum += e.DataBytes
		}
	}
	return sum, nil
}

// query selects entries that end above from and whose highest timestamp is at least minMax.
type query struct {
	from   kafka.Offset
	minMax kafka.Timestamp
	// expired includes what lies below the log start offset and is not swept.
	expired bool
}

func (q query) ref(r manifest.PageRef) bool {
	return r.NextOffset > q.from && r.MaxTimestamp >= q.minMax
}

func (q query) entry(e manifest.Entry) bool {
	return e.NextOffset > q.from && e.MaxTimestamp >= q.minMax
}

// candidates is refs from the first one that can match on.
func (q query) candidates(refs []manifest.PageRef) []manifest.PageRef {
	i := sort.Search(len(refs), func(i int) bool {
		return refs[i].NextOffset > q.from && refs[i].RunningMaxTimestamp >= q.minMax
	})
	return refs[i:]
}

func (p *PartitionManifest) first(ctx context.Context, q query) (manifest.Entry, bool, error) {
	var found manifest.Entry
	var ok bool
	err := p.walk(ctx, q, func(e manifest.Entry) bool {
		found, ok = e, true
		return false
	})
	return found, ok, err
}

// walk visits what matches in offset order until visit returns false.
func (p *PartitionManifest) walk(
	ctx context.Context, q query, visit func(manifest.Entry) bool,
) error {
	h, err := p.cached(ctx)
	for try := 1; err == nil; try++ {
		from := q.from
		if q.from = max(q.from, h.LogStartOffset); q.expired {
			q.from = from
		}
		w := walker{p: p, query: &q, visit: visit}
		if err = w.walk(ctx, h); !errors.Is(err, errVanished) || try >= loadTries {
			break
		}
		h, err = p.Load(ctx)
	}
	if err != nil {
		return fmt.Errorf("read manifest of %s: %w", p.tp, err)
	}
	return nil
}

type walker struct {
	p     *PartitionManifest
	query *query // from moves on with what was visited, so that a repetition skips it
	visit func(manifest.Entry) bool
	done  bool
}

func (w *walker) walk(ctx context.Context, h manifest.Head) error {
	if err := w.refs(ctx, h.Indexes); err != nil || w.done {
		return err
	}
	if err := w.refs(ctx, h.Pages); err != nil || w.done {
		return err
	}
	w.entries(h.Tail)
	return nil
}

func (w *walker) refs(ctx context.Context, refs []manifest.PageRef) error {
	for _, r := range w.query.candidates(refs) {
		if !w.query.ref(r) {
			continue
		}
		pg, err := w.p.parts.cache.load(ctx, w.p.tp, r)
		if err != nil {
			return err
		}
		if err := w.refs(ctx, pg.Refs); err != nil {
			return err
		}
		if w.entries(pg.Entries); w.done {
			return nil
		}
	}
	return nil
}

func (w *walker) entries(entries []manifest.Entry) {
	i := sort.Search(len(entries), func(i int) bool { return entries[i].NextOffset > w.query.from })
	for _, e := range entries[i:] {
		if !w.query.entry(e) {
			continue
		}
		w.query.from = e.NextOffset
		if !w.visit(e) {
			w.done = true
			return
		}
	}
}
