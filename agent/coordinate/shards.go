package coordinate

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
)

// Parts are what a Shards is made of. New is required.
type Parts[M coordinator.Machine] struct {
	// Topic is the internal topic, for logs and metrics.
	Topic string
	// New makes the empty machine of a partition, led in a leader epoch.
	New func(partition int32, leaderEpoch int32) M
	// Act carries out the actions of a transition, in the order in which their transitions ran. It must
	// not block; nil drops them.
	Act func(partition int32, actions []any)
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
	// Metrics counts over all shards of a kind; nil counts nowhere.
	Metrics *Metrics
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time
}

// Shards are the coordinators of one kind that this agent runs. Make it with New, end it with Close.
type Shards[M coordinator.Machine] struct {
	parts Parts[M]

	mu     sync.RWMutex
	shards map[int32]*shard[M]
	closed bool
	loads  sync.WaitGroup
}

// New makes a Shards that leads nothing yet.
func New[M coordinator.Machine](p Parts[M]) *Shards[M] {
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	if p.Act == nil {
		p.Act = func(int32, []any) {}
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Metrics == nil {
		p.Metrics = NewMetrics(nil, p.Topic)
	}
	p.Logger = p.Logger.With("topic", p.Topic)
	return &Shards[M]{parts: p, shards: map[int32]*shard[M]{}}
}

// Lead begins to load the machine of a partition that this agent leads from now on. One that was led
// before is dropped first.
func (s *Shards[M]) Lead(partition int32, log api.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if old := s.shards[partition]; old != nil {
		old.resign()
	}
	sh := newShard(&s.parts, &s.loads, partition, log)
	s.shards[partition] = sh
	s.loads.Go(sh.load)
}

// Resign drops the machine of a partition: whoever waits gets coordinator.ErrNotCoordinator.
func (s *Shards[M]) Resign(partition int32) {
	s.mu.Lock()
	sh := s.shards[partition]
	delete(s.shards, partition)
	s.mu.Unlock()
	if sh != nil {
		sh.resign()
	}
}

// Close resigns everything and waits for loads to end.
func (s *Shards[M]) Close() {
	s.mu.Lock()
	s.closed = true
	all := s.shards
	s.shards = map[int32]*shard[M]{}
	s.mu.Unlock()
	for _, sh := range all {
		sh.resign()
	}
	s.loads.Wait()
}

// Ask runs a transition on the machine of a partition and waits for the reply to the token, which this
// or a later transition gives, until it is committed. Errors: the reply's own, those of package
// coordinator, or ctx's; after ctx's the transition may still take effect.
func (s *Shards[M]) Ask(
	ctx context.Context, partition int32,
	do func(m M, now time.Time, to coordinator.Token) coordinator.Effects,
) (any, error) {
	sh, err := s.find(partition)
	if err != nil {
		return nil, err
	}
	return sh.ask(ctx, do)
}

// AskIn is Ask for a transition that appends to a producer's transaction, with the guard that
// api.TransactionLog gave. Where the log would refuse that, the transition does not run:
// api.ErrInvalidProducerEpoch, api.ErrInvalidTxnState.
func (s *Shards[M]) AskIn(
	ctx context.Context, partition int32, in Transaction,
	do func(m M, now time.Time, to coordinator.Token) coordinator.Effects,
) (any, error) {
	sh, err := s.find(partition)
	if err != nil {
		return nil, err
	}
	var refused error
	v, err := sh.ask(ctx, func(m M, now time.Time, to coordinator.Token) (e coordinator.Effects) {
		if refused = sh.log.CheckTransaction(in.Producer, in.Guard); refused != nil {
			e.Answer(to, nil)
			return e
		}
		return do(m, now, to)
	})
	if refused != nil {
		return nil, refused
	}
	return v, err
}

// Transaction is what an append to a producer's transaction shows.
type Transaction struct {
	Producer coordinator.Producer
	Guard    uint64
}

// End ends a transaction in a partition: the machine hears of it by ReplayEnd, and the marker is
// appended on return. committed waits for its commit, and gives the error of Ask,
// api.ErrInvalidProducerEpoch, or api.ErrCoordinatorFenced.
func (s *Shards[M]) End(partition int32, m coordinator.Marker) (committed func() error) {
	sh, err := s.find(partition)
	if err != nil {
		return func() error { return err }
	}
	return sh.endTxn(m)
}

// Tell runs a transition that nobody waits for, such as the result of an action. Its error says that
// the machine did not see it.
func (s *Shards[M]) Tell(
	partition int32, do func(m M, now time.Time) coordinator.Effects,
) error {
	sh, err := s.find(partition)
	if err != nil {
		return err
	}
	return sh.tell(do)
}

// Each calls look with each machine that is loaded, one at a time and in no order. look must not change
// it. The partitions that are still being loaded are returned.
func (s *Shards[M]) Each(look func(partition int32, m M, now time.Time)) (loading []int32) {
	s.mu.RLock()
	all := make([]*shard[M], 0, len(s.shards))
	for _, sh := range s.shards {
		all = append(all, sh)
	}
	s.mu.RUnlock()
	for _, sh := range all {
		if !sh.look(look) {
			loading = append(loading, sh.partition)
		}
	}
	return loading
}

// TellAll runs a transition on each machine that is loaded; see Tell.
func (s *Shards[M]) TellAll(do func(m M, now time.Time) coordinator.Effects) {
	s.mu.RLock()
	all := make([]*shard[M], 0, len(s.shards))
	for _, sh := range s.shards {
		all = append(all, sh)
	}
	s.mu.RUnlock()
	for _, sh := range all {
		_ = sh.tell(do) // one that is not loaded has nothing to be told
	}
}

func (s *Shards[M]) find(partition int32) (*shard[M], error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	sh := s.shards[partition]
	if sh == nil {
		return nil, fmt.Errorf("%w of %s-%d",
			coordinator.ErrNotCoordinator, s.parts.Topic, partition)
	}
	return sh, nil
}

// Answer is the reply of an Ask with its type.
func Answer[T any](reply any, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return reply.(T), nil
}
