package replay

import (
	"context"
	"errors"
	"io"
)

// Order says how several partitions are given.
type Order int

// The orders of a Group.
const (
	// Sequential gives one partition after the other.
	Sequential Order = iota
	// Interleaved gives one Run of each in turn, so that all go on at about the same pace.
	Interleaved
)

// Part is one partition of a Group.
type Part struct {
	Manifest Manifest
	Options  Options
}

// Group reads several partitions. It is not safe for concurrent use.
type Group struct {
	r     *Reader
	parts []Part
	order Order
	iters []*Iterator // nil where not opened yet, or at its end and closed
	ended []bool
	turn  int
}

// OpenGroup begins to read partitions. Interleaved, their reading ahead shares Config.Parallel,
// with at least one chunk for each; sequentially, only the partition in turn is read.
func (r *Reader) OpenGroup(parts []Part, order Order) *Group {
	if order == Interleaved {
		share := max(1, r.cfg.Parallel/max(1, len(parts)))
		for i := range parts {
			if parts[i].Options.Parallel == 0 {
				parts[i].Options.Parallel = share
			}
		}
	}
	return &Group{
		r: r, parts: parts, order: order,
		iters: make([]*Iterator, len(parts)), ended: make([]bool, len(parts)),
	}
}

// Next gives the next Run, which the caller releases, and the index of its partition. io.EOF: all
// partitions are at their end. Errors are those of Iterator.Next, with the index of the partition.
func (g *Group) Next(ctx context.Context) (int, *Run, error) {
	for range 2 * len(g.parts) {
		i := g.turn
		if g.ended[i] {
			g.turn = (g.turn + 1) % len(g.parts)
			continue
		}
		it, err := g.iterator(ctx, i)
		if err != nil {
			return i, nil, err
		}
		run, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			g.ended[i] = true
			it.Close()
			continue
		}
		if err == nil && g.order == Interleaved {
			g.turn = (g.turn + 1) % len(g.parts)
		}
		return i, run, err
	}
	return 0, nil, io.EOF
}

// iterator opens a partition when it is first its turn.
func (g *Group) iterator(ctx context.Context, i int) (*Iterator, error) {
	if g.iters[i] == nil {
		it, err := g.r.Open(ctx, g.parts[i].Manifest, g.parts[i].Options)
		if err != nil {
			return nil, err
		}
		g.iters[i] = it
	}
	return g.iters[i], nil
}

// Iterator gives a partition's iterator, for its position and what it skipped; nil before it was
// opened. The Group goes on owning it.
func (g *Group) Iterator(i int) *Iterator { return g.iters[i] }

// Close closes all iterators.
func (g *Group) Close() {
	for _, it := range g.iters {
		if it != nil {
			it.Close()
		}
	}
}
