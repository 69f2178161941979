package tiering

import (
	"context"
	"fmt"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
)

// State is where a segment is in its life.
type State string

// The states, in their order. A hot segment is on local disk only, a sealed one on both tiers, a
// released one in the bucket only.
const (
	Hot       State = "hot"
	Uploading State = "uploading"
	Sealed    State = "sealed"
	Released  State = "released"
)

// Stretch is a run of segments in one state, with the offsets [BaseOffset, NextOffset).
type Stretch struct {
	State                  State
	BaseOffset, NextOffset kafka.Offset
	Bytes                  int64 // of record batches
	Segments               int64
}

// Status tells what of a partition is where, from the log start offset to the log end offset, in
// offset order. It may read manifest pages. ErrUnknownPartition, or the errors of reading pages.
func (s *Sealer) Status(ctx context.Context, tp kafka.TopicPartition) ([]Stretch, error) {
	s.mu.Lock()
	p := s.parts[tp]
	var uploading kafka.OffsetRange
	if p != nil && p.uploading != nil {
		uploading = *p.uploading
	}
	s.mu.Unlock()
	if p == nil {
		return nil, fmt.Errorf("status of %s: %w", tp, ErrUnknownPartition)
	}
	return statusOf(ctx, p.log, uploading)
}

func statusOf(ctx context.Context, l Log, uploading kafka.OffsetRange) ([]Stretch, error) {
	// The local state is read first: what is released between the two reads then shows as sealed.
	local, rolled := l.LocalLogStartOffset(), l.Rolled()
	size, end := l.SizeBytes(), l.LogEndOffset()
	head := known(l.Manifest())
	var b stretches
	if err := b.addSealed(ctx, l.Manifest(), head, local); err != nil {
		return nil, fmt.Errorf("status of %s: %w", l.TP(), err)
	}
	active := local
	for _, r := range rolled {
		size -= r.Bytes
		active = r.NextOffset
		if r.NextOffset <= head.NextBase() {
			continue
		}
		state := Hot
		if uploading.Contains(r.NextOffset - 1) {
			state = Uploading
		}
		b.add(Stretch{state, max(r.BaseOffset, head.NextBase()), r.NextOffset, r.Bytes, 1})
	}
	if end > max(active, head.NextBase()) {
		b.add(Stretch{Hot, max(active, head.NextBase()), end, max(size, 0), 1})
	}
	return b, nil
}

// stretches joins neighbours in the same state.
type stretches []Stretch

func (b *stretches) add(s Stretch) {
	if n := len(*b); n > 0 && (*b)[n-1].State == s.State {
		last := &(*b)[n-1]
		last.NextOffset = s.NextOffset
		last.Bytes += s.Bytes
		last.Segments += s.Segments
		return
	}
	*b = append(*b, s)
}

// addSealed adds what the manifest holds. Pages wholly released are taken from their summaries.
func (b *stretches) addSealed(
	ctx context.Context, m Manifest, head manifest.Head, local kafka.Offset,
) error {
	from := head.LogStartOffset
	for _, list := range [][]manifest.PageRef{head.Indexes, head.Pages} {
		for _, ref := range list {
			if ref.BaseOffset >= from && ref.NextOffset <= local {
				b.add(Stretch{Released, ref.BaseOffset, ref.NextOffset, ref.DataBytes, ref.Segments})
				from = ref.NextOffset
			} else if ref.BaseOffset < from && ref.NextOffset > from && ref.NextOffset <= local {
				if err := b.addEntries(ctx, m, from, ref.NextOffset, local); err != nil {
					return err
				}
				from = ref.NextOffset
			}
		}
	}
	return b.addEntries(ctx, m, from, head.SealedEnd(), local)
}

func (b *stretches) addEntries(
	ctx context.Context, m Manifest, from, to, local kafka.Offset,
) error {
	if from >= to {
		return nil
	}
	for e, err := range m.Entries(ctx, from) {
		if err != nil {
			return err
		}
		if e.BaseOffset >= to {
			break
		}
		state := Sealed
		if e.NextOffset <= local {
			state = Released
		}
		b.add(Stretch{state, max(e.BaseOffset, from), e.NextOffset, e.DataBytes, 1})
	}
	return nil
}
