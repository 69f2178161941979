package tiering

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// step does what a partition needs most: it verifies what was committed, seals one segment, applies
// retention when due, and releases. One part's error does not keep the others from being tried.
func (s *Sealer) step(ctx context.Context, p *part) error {
	l := p.log
	st := l.Settings()
	if _, ok := l.Manifest().Head(); !ok {
		if _, err := l.Manifest().Load(ctx); err != nil {
			return err
		}
	}
	var sealErr error
	if st.Seals() {
		sealErr = s.sealStep(ctx, p)
	}
	expireErr := s.expireStep(ctx, p, st)
	head := known(l.Manifest())
	if err := l.SetLogStartOffset(head.LogStartOffset); err != nil {
		return errors.Join(sealErr, expireErr, fmt.Errorf("set log start offset: %w", err))
	}
	return errors.Join(sealErr, expireErr, s.release(p, head, st))
}

func (s *Sealer) release(p *part, head manifest.Head, st settings.Topic) error {
	target := releasable(p.log, head, st, s.now())
	if target <= p.log.LocalLogStartOffset() {
		return nil
	}
	segments, bytes, err := p.log.Release(target)
	s.metrics.releasedSegments.Add(float64(segments))
	s.metrics.releasedBytes.Add(float64(bytes))
	if err != nil {
		return fmt.Errorf("release local segments below %d: %w", target, err)
	}
	return nil
}

// sealStep verifies, and uploads and commits the next segment if there is one; the edit that
// commits it records what was verified too, so that a backlog costs one edit for each segment.
func (s *Sealer) sealStep(ctx context.Context, p *part) error {
	l := p.log
	head := known(l.Manifest())
	verifyErr := s.check(ctx, p, head)
	if errors.Is(verifyErr, context.Canceled) || errors.Is(verifyErr, context.DeadlineExceeded) {
		return verifyErr
	}
	var sealErr error
	r, ok := nextSegment(head, l.Rolled())
	switch {
	case ok && r.NextOffset <= l.LastStableOffset():
		sealErr = s.seal(ctx, p, head, r)
	case p.checkedEnd > head.VerifiedEnd:
		_, err := s.edit(ctx, p, nil)
		sealErr = err
	}
	return errors.Join(verifyErr, sealErr)
}

// edit fences older epochs, records what was verified and adds a segment, if any.
func (s *Sealer) edit(
	ctx context.Context, p *part, add *manifest.Segment,
) (manifest.Head, error) {
	epoch := p.log.LeaderEpoch()
	head, err := p.log.Manifest().Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		h, err := h.Fence(epoch)
		if err != nil {
			return h, err
		}
		if upTo := min(p.checkedEnd, h.SealedEnd()); upTo > h.VerifiedEnd {
			if h, err = h.Verify(upTo, epoch); err != nil {
				return h, err
			}
		}
		if add == nil {
			return h, nil
		}
		return h.AddSegment(*add, epoch)
	})
	if errors.Is(err, manifest.ErrFenced) {
		return head, fmt.Errorf("%w: %w", ErrFenced, err)
	}
	return head, err
}

// epochsWithin gives the epochs of the records in a range, the first covering its base.
func epochsWithin(all []kafka.EpochStart, r kafka.OffsetRange) []kafka.EpochStart {
	var within []kafka.EpochStart
	for i, e := range all {
		if e.StartOffset >= r.Next {
			break
		}
		if i+1 < len(all) && all[i+1].StartOffset <= r.Base {
			continue
		}
		e.StartOffset = max(e.StartOffset, r.Base)
		within = append(within, e)
	}
	return within
}
