package tiering

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// Deps are the parts a Sealer is made of. Store and Logger are required.
type Deps struct {
	Store  objstore.Store
	Logger *slog.Logger
	// Registerer gets the metrics; nil keeps them private.
	Registerer prometheus.Registerer
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
	// StoreNow tells the time by the store's clock, as catalog.Catalog does; nil asks the store each
	// time.
	StoreNow func(ctx context.Context) (time.Time, error)
	// OnExpired, if not nil, is called after the manifest of a partition got objects that may be swept
	// once their grace time is over. It must not block.
	OnExpired func(tp kafka.TopicPartition)
}

// Sealer seals, releases and expires the segments of the partitions in its care. Make one with New
// and start it with Run.
type Sealer struct {
	cfg     Config
	store   objstore.Store
	logger  *slog.Logger
	now     func() time.Time
	clock   func(ctx context.Context) (time.Time, error)
	expired func(kafka.TopicPartition)
	metrics *metrics
	limiter *limiter

	wake chan struct{} // tells the scheduler that something may be due

	mu      sync.Mutex
	parts   map[kafka.TopicPartition]*part
	due     dueHeap
	ready   []*part // queued for the workers, oldest first
	work    *sync.Cond
	stopped bool
}

// New makes a Sealer without partitions.
func New(cfg Config, d Deps) (*Sealer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Sealer{
		cfg: cfg, store: d.Store, logger: d.Logger, now: d.Now, expired: d.OnExpired,
		limiter: newLimiter(cfg.BytesPerSecondMax),
		wake:    make(chan struct{}, 1), parts: map[kafka.TopicPartition]*part{},
	}
	if s.clock = d.StoreNow; s.clock == nil {
		s.clock = func(ctx context.Context) (time.Time, error) {
			return objstore.StoreNow(ctx, d.Store)
		}
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.expired == nil {
		s.expired = func(kafka.TopicPartition) {}
	}
	s.work = sync.NewCond(&s.mu)
	s.metrics = newMetrics(d.Registerer, s)
	return s, nil
}

// Add takes a partition into care from now on, in place of one of the same name.
func (s *Sealer) Add(l Log) {
	p := &part{log: l, tp: l.TP(), index: -1, changed: make(chan struct{}), due: s.now()}
	s.mu.Lock()
	old := s.parts[p.tp]
	s.parts[p.tp] = p
	if old != nil {
		s.detach(old)
	}
	heap.Push(&s.due, p)
	s.mu.Unlock()
	s.kick()
}

// Remove lets go of a partition. The step under way is cancelled and waited for until ctx ends,
// whose error it then returns; the Log must stay usable until a Remove returned nil.
func (s *Sealer) Remove(ctx context.Context, tp kafka.TopicPartition) error {
	s.mu.Lock()
	p := s.parts[tp]
	if p == nil {
		s.mu.Unlock()
		return nil
	}
	delete(s.parts, tp)
	s.detach(p)
	s.mu.Unlock()
	for {
		s.mu.Lock()
		busy, changed := p.busy || p.looking, p.changed
		s.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// detach takes a removed partition out of the queues. s.mu is held.
func (s *Sealer) detach(p *part) {
	p.removed = true
	if p.index >= 0 {
		heap.Remove(&s.due, p.index)
	}
	if p.cancel != nil {
		p.cancel()
	}
	p.announce()
}

// Notify tells that a partition may have work: a segment was rolled, its settings or its log start
// offset changed. It never blocks; unknown partitions are ignored.
func (s *Sealer) Notify(tp kafka.TopicPartition) {
	s.mu.Lock()
	if p := s.parts[tp]; p != nil {
		s.schedule(p, s.now())
	}
	s.mu.Unlock()
	s.kick()
}

// schedule makes a partition due at a time or earlier, but not before its pause after an error is
// over. s.mu is held.
func (s *Sealer) schedule(p *part, at time.Time) {
	if p.removed {
		return
	}
	if at.Before(p.retryAt) {
		at = p.retryAt
	}
	switch {
	case p.busy || p.queued:
		p.again = true
	case p.index < 0:
		p.due = at
		heap.Push(&s.due, p)
	case at.Before(p.due):
		p.due = at
		heap.Fix(&s.due, p.index)
	}
}

// kick makes the scheduler look.
func (s *Sealer) kick() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run seals until ctx ends, then waits for the steps under way, which end with ctx too. It returns
// ctx's error. Call it once.
func (s *Sealer) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		s.stopped = true
		for _, p := range s.parts {
			p.announce()
		}
		s.mu.Unlock()
		s.work.Broadcast()
	})
	defer stop()
	group.Go(func() error { return s.scheduleLoop(ctx) })
	for range s.cfg.UploadsMax {
		group.Go(func() error { return s.workLoop(ctx) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("sealer: %w", err)
	}
	return nil
}

func (s *Sealer) scheduleLoop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-s.wake:
		}
		timer.Reset(s.lookAtDue())
	}
}

// lookAtDue looks at every partition that is due and tells how long nothing more will be.
func (s *Sealer) lookAtDue() time.Duration {
	for {
		now := s.now()
		s.mu.Lock()
		if len(s.due) == 0 {
			s.mu.Unlock()
			return s.cfg.ScanInterval
		}
		p := s.due[0]
		if wait := p.due.Sub(now); wait > 0 {
			s.mu.Unlock()
			return wait
		}
		heap.Pop(&s.due)
		p.queued, p.looking = true, true // the lock is not held during the look
		s.mu.Unlock()
		s.place(p, s.look(p, now))
	}
}

// place queues a partition that was looked at: for the workers, or for the next look.
func (s *Sealer) place(p *part, v view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.view, p.looking = v, false
	if p.removed {
		p.queued = false
		p.announce()
		return
	}
	if v.work {
		p.again = false
		s.ready = append(s.ready, p)
		s.work.Signal()
		return
	}
	p.queued = false
	next := v.next
	if p.again {
		p.again, next = false, s.now()
	}
	s.schedule(p, next)
}

func (s *Sealer) workLoop(ctx context.Context) error {
	for {
		p, stepCtx, cancel := s.takeReady(ctx)
		if p == nil {
			return ctx.Err()
		}
		err := s.step(stepCtx, p)
		cancel()
		s.finish(ctx, p, err)
	}
}

// takeReady waits for a partition with work; nil when ctx has ended.
func (s *Sealer) takeReady(ctx context.Context) (*part, context.Context, context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.stopped {
			return nil, nil, nil
		}
		if len(s.ready) > 0 {
			p := s.ready[0]
			s.ready = s.ready[1:]
			p.queued = false
			if p.removed {
				continue
			}
			p.busy = true
			stepCtx, cancel := context.WithTimeout(ctx, s.cfg.StepTimeout)
			p.cancel = cancel
			return p, stepCtx, cancel
		}
		s.work.Wait()
	}
}

// finish records how a step ended and makes the partition due again: at once for what may be left
// to do, behind the others that wait, or after a pause.
func (s *Sealer) finish(ctx context.Context, p *part, err error) {
	now := s.now()
	s.mu.Lock()
	p.busy, p.cancel, p.uploading = false, nil, nil
	p.again = false
	p.lastErr = err
	if err == nil {
		p.failures, p.retryAt = 0, time.Time{}
	} else {
		p.failures++
		p.retryAt = now.Add(s.pause(p.failures))
	}
	failures := p.failures
	s.schedule(p, now)
	p.announce()
	s.mu.Unlock()
	s.kick()
	if err != nil && ctx.Err() == nil && !p.isRemoved(s) {
		s.metrics.failures.Inc()
		s.logger.Warn("sealing failed, will be tried again", "topic", p.log.Topic(),
			"partition", p.tp.Partition, "failures", failures, "err", err)
	}
}
