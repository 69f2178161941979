package tiering

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/varve-log/varve/kafka"
)

// SealResult tells how far a partition is sealed.
type SealResult struct {
	TP kafka.TopicPartition
	// VerifiedEnd is the exclusive end of what is in the bucket for sure.
	VerifiedEnd kafka.Offset
	// Err is nil if all that was below the last stable offset when SealNow was called is in the
	// bucket. Otherwise ErrUnknownPartition, ErrLocalOnly, ErrClosed, or ctx's error along with why
	// the last try failed.
	Err error
}

// SealNow rolls the active segments of partitions, seals all that is below their last stable
// offsets as of the call, and waits until it is verified. It gives up when ctx ends; what was begun
// goes on. There is one result for each partition, in order. Run must be running.
func (s *Sealer) SealNow(ctx context.Context, tps []kafka.TopicPartition) []SealResult {
	results := make([]SealResult, len(tps))
	var wg sync.WaitGroup
	for i, tp := range tps {
		wg.Go(func() {
			end, err := s.sealOne(ctx, tp)
			results[i] = SealResult{TP: tp, VerifiedEnd: end, Err: err}
		})
	}
	wg.Wait()
	return results
}

// SealAll is SealNow of every partition in the Sealer's care whose topic is sealed at all, now.
func (s *Sealer) SealAll(ctx context.Context) []SealResult {
	s.mu.Lock()
	parts := make([]*part, 0, len(s.parts))
	for _, p := range s.parts {
		parts = append(parts, p)
	}
	s.mu.Unlock()
	var tps []kafka.TopicPartition
	for _, p := range parts {
		if st := p.log.Settings(); st.Seals() {
			tps = append(tps, p.tp)
		}
	}
	return s.SealNow(ctx, tps)
}

func (s *Sealer) sealOne(ctx context.Context, tp kafka.TopicPartition) (kafka.Offset, error) {
	s.mu.Lock()
	p := s.parts[tp]
	s.mu.Unlock()
	if p == nil {
		return kafka.NoOffset, fmt.Errorf("seal %s: %w", tp, ErrUnknownPartition)
	}
	l := p.log
	if st := l.Settings(); !st.Seals() {
		return known(l.Manifest()).VerifiedEnd, fmt.Errorf("seal %s: %w", tp, ErrLocalOnly)
	}
	target := l.LastStableOffset()
	if target > known(l.Manifest()).NextBase() && rolledEnd(l) < target {
		if _, err := l.Roll(); err != nil {
			return known(l.Manifest()).VerifiedEnd, fmt.Errorf("seal %s: %w", tp, err)
		}
	}
	s.expedite(p)
	return s.awaitVerified(ctx, p, target)
}

// rolledEnd is where the active segment begins, or 0 when nothing on local disk is rolled.
func rolledEnd(l Log) kafka.Offset {
	rolled := l.Rolled()
	if len(rolled) == 0 {
		return 0
	}
	return rolled[len(rolled)-1].NextOffset
}

// expedite makes a partition due now, even in its pause after an error.
func (s *Sealer) expedite(p *part) {
	now := s.now()
	s.mu.Lock()
	if !p.retryAt.IsZero() && !p.busy && !p.queued {
		p.retryAt = now
	}
	s.schedule(p, now)
	s.mu.Unlock()
	s.kick()
}

func (s *Sealer) awaitVerified(
	ctx context.Context, p *part, target kafka.Offset,
) (kafka.Offset, error) {
	for {
		s.mu.Lock()
		changed, lastErr, gone := p.changed, p.lastErr, p.removed
		stopped := s.stopped
		s.mu.Unlock()
		head := known(p.log.Manifest())
		var err error
		switch {
		case head.VerifiedEnd >= target || head.LogStartOffset >= target:
			return head.VerifiedEnd, nil
		case gone:
			err = ErrUnknownPartition
		case stopped:
			err = ErrClosed
		}
		if err != nil {
			return head.VerifiedEnd, fmt.Errorf("seal %s: %w", p.tp, err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return head.VerifiedEnd, fmt.Errorf(
				"seal %s: verified up to offset %d, wanted %d: %w; try again, or look at the store",
				p.tp, head.VerifiedEnd, target, errors.Join(ctx.Err(), lastErr))
		}
	}
}
