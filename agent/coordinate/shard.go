package coordinate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Pauses between tries to load.
const (
	loadPauseMin = 100 * time.Millisecond
	loadPauseMax = 10 * time.Second
)

type state uint8

const (
	loading state = iota
	ready
	resigned
)

// shard is the coordinator of one partition.
type shard[M coordinator.Machine] struct {
	parts     *Parts[M]
	partition int32
	log       api.Partition
	loads     *sync.WaitGroup
	gone      context.Context // ends when the lead is resigned
	leave     context.CancelFunc

	mu      sync.Mutex
	state   state
	machine M
	waiting map[coordinator.Token]chan outcome
	token   coordinator.Token // the last one given
	end     kafka.Offset      // everything appended by this shard is below
	timer   *time.Timer
	due     time.Time
	builder *record.Builder

	actMu sync.Mutex // keeps actions in order
}

type outcome struct {
	value any
	err   error
}

func newShard[M coordinator.Machine](
	p *Parts[M], loads *sync.WaitGroup, partition int32, log api.Partition,
) *shard[M] {
	s := &shard[M]{
		parts: p, partition: partition, log: log, loads: loads,
		waiting: map[coordinator.Token]chan outcome{}, builder: record.NewBuilder(record.None),
	}
	s.gone, s.leave = context.WithCancel(context.Background())
	return s
}

// resign ends the shard and every wait.
func (s *shard[M]) resign() {
	s.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == ready {
		s.parts.Metrics.loaded.Dec()
	}
	s.state = resigned
	s.stopLocked(fmt.Errorf("%w any more of %s-%d",
		coordinator.ErrNotCoordinator, s.parts.Topic, s.partition))
}

// stopLocked ends every wait and forgets the machine.
func (s *shard[M]) stopLocked(err error) {
	var none M
	s.machine = none
	for _, w := range s.waiting {
		w <- outcome{err: err}
	}
	clear(s.waiting)
	if s.timer != nil {
		s.timer.Stop()
	}
	s.due = time.Time{}
}

// ask runs a transition and waits for the reply.
func (s *shard[M]) ask(
	ctx context.Context, do func(M, time.Time, coordinator.Token) coordinator.Effects,
) (any, error) {
	to, answer, err := s.begun(do)
	if err != nil {
		return nil, err
	}
	select { // what is answered at once needs no ctx, which may cost a timer to ask
	case got := <-answer:
		return got.value, got.err
	default:
	}
	select {
	case got := <-answer:
		return got.value, got.err
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.waiting, to)
		s.mu.Unlock()
		return nil, ctx.Err()
	}
}

// begun runs a transition whose reply comes through the channel.
func (s *shard[M]) begun(
	do func(M, time.Time, coordinator.Token) coordinator.Effects,
) (coordinator.Token, <-chan outcome, error) {
	s.mu.Lock()
	if err := s.readyLocked(); err != nil {
		s.mu.Unlock()
		return 0, nil, err
	}
	s.token++
	to, answer := s.token, make(chan outcome, 1)
	s.waiting[to] = answer
	out := s.takeLocked(do(s.machine, s.parts.Now(), to))
	s.mu.Unlock()
	s.deliver(out)
	return to, answer, nil
}

// endTxn appends a marker and gives the function that waits for its commit. What the log would refuse
// is not tried: a failed append would cost the machine.
func (s *shard[M]) endTxn(m coordinator.Marker) (committed func() error) {
	var refused error
	_, answer, err := s.begun(func(machine M, _ time.Time, to coordinator.Token,
	) (e coordinator.Effects) {
		if refused = s.log.CheckMarker(m); refused == nil {
			machine.ReplayEnd(m.Producer, m.Commit)
			e.Marker = &m
		}
		e.Answer(to, nil)
		return e
	})
	return func() error {
		if err != nil || refused != nil {
			return errors.Join(err, refused)
		}
		return (<-answer).err
	}
}

// tell runs a transition that nobody waits for.
func (s *shard[M]) tell(do func(M, time.Time) coordinator.Effects) error {
	s.mu.Lock()
	if err := s.readyLocked(); err != nil {
		s.mu.Unlock()
		return err
	}
	out := s.takeLocked(do(s.machine, s.parts.Now()))
	s.mu.Unlock()
	s.deliver(out)
	return nil
}

func (s *shard[M]) look(fn func(int32, M, time.Time)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != ready {
		return false
	}
	fn(s.partition, s.machine, s.parts.Now())
	return true
}

func (s *shard[M]) readyLocked() error {
	switch s.state {
	case loading:
		return fmt.Errorf("%w: %s-%d", coordinator.ErrLoading, s.parts.Topic, s.partition)
	case resigned:
		return fmt.Errorf("%w any more of %s-%d",
			coordinator.ErrNotCoordinator, s.parts.Topic, s.partition)
	}
	return nil
}

// delivery is what leaves once everything below end is committed.
type delivery struct {
	end     kafka.Offset
	replies []coordinator.Reply
	answers []chan outcome // of replies; nil: nobody waits any more
	actions []any
}

// takeLocked appends what a transition asks for and collects what is to be delivered. Where the append
// fails the machine is dropped and loaded again.
func (s *shard[M]) takeLocked(e coordinator.Effects) delivery {
	if err := s.appendLocked(&e); err != nil {
		s.failLocked(err)
		return delivery{}
	}
	out := delivery{end: s.end, replies: e.Replies, actions: e.Actions}
	for _, r := range e.Replies {
		out.answers = append(out.answers, s.waiting[r.To])
		delete(s.waiting, r.To)
	}
	s.armLocked()
	return out
}

// appendLocked writes records and marker in one append.
func (s *shard[M]) appendLocked(e *coordinator.Effects) error {
	if len(e.Records) == 0 && e.Marker == nil {
		return nil
	}
	now := kafka.TimestampOf(s.parts.Now())
	var bytes []byte
	if len(e.Records) > 0 {
		b, err := s.batch(e, now)
		if err != nil {
			return err
		}
		bytes = b
	}
	if m := e.Marker; m != nil {
		kind := record.Abort
		if m.Commit {
			kind = record.Commit
		}
		bytes = append(bytes, record.NewMarker(
			kind, m.Producer.ID, m.Producer.Epoch, m.CoordinatorEpoch, now)...)
	}
	o := api.AppendOptions{
		RequiredAcks: -1, AppendTime: kafka.NoTimestamp, Coordinator: true,
	}
	if e.Marker != nil {
		o.TransactionVersion = e.Marker.Version
	}
	got, err := s.log.Append(bytes, o)
	if err != nil {
		return err
	}
	s.end = got.NextOffset
	s.parts.Metrics.appended.Add(float64(len(e.Records)))
	return nil
}

func (s *shard[M]) batch(e *coordinator.Effects, now kafka.Timestamp) (record.Batch, error) {
	s.builder.Reset()
	s.builder.Transactional = e.Transaction != nil
	if p := e.Transaction; p != nil {
		s.builder.SetProducer(p.ID, p.Epoch, kafka.NoSequence)
	}
	for _, r := range e.Records {
		s.builder.Append(now, r.Key, r.Value)
	}
	return s.builder.Build()
}

// deliver sends replies and actions once what was appended is committed.
func (s *shard[M]) deliver(d delivery) {
	if len(d.replies) == 0 && len(d.actions) == 0 {
		return
	}
	s.log.OnCommitted(d.end, func(err error) {
		if err != nil {
			err = fmt.Errorf("%w: %w", coordinator.ErrNotCoordinator, err)
			go s.fail(err) // the log calls back under locks of its own
		}
		for i, r := range d.replies {
			if d.answers[i] == nil {
				continue
			}
			if err != nil {
				r.Value, r.Err = nil, err
			}
			d.answers[i] <- outcome{r.Value, r.Err}
		}
		if err == nil && len(d.actions) > 0 {
			s.actMu.Lock()
			defer s.actMu.Unlock()
			s.parts.Act(s.partition, d.actions)
		}
	})
}

func (s *shard[M]) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == ready {
		s.failLocked(err)
	}
}

// failLocked drops the machine, whose state is ahead of the log, and loads it again.
func (s *shard[M]) failLocked(cause error) {
	s.parts.Logger.Warn("coordinator's records not appended, loading it again",
		"partition", s.partition, "err", cause)
	s.parts.Metrics.failures.Inc()
	s.state = loading
	s.parts.Metrics.loaded.Dec()
	sentinel := coordinator.ErrNotAvailable
	if errors.Is(cause, api.ErrNotLeader) || errors.Is(cause, coordinator.ErrNotCoordinator) {
		sentinel = coordinator.ErrNotCoordinator
	}
	s.stopLocked(fmt.Errorf("%w: %w", sentinel, cause))
	s.loads.Go(s.load)
}

// armLocked sets the timer to when the machine wants to be called.
func (s *shard[M]) armLocked() {
	due := s.machine.Due()
	if due.Equal(s.due) {
		return
	}
	s.due = due
	if due.IsZero() {
		if s.timer != nil {
			s.timer.Stop()
		}
		return
	}
	wait := max(due.Sub(s.parts.Now()), 0)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.tick)
		return
	}
	s.timer.Reset(wait)
}

func (s *shard[M]) tick() {
	s.mu.Lock()
	if s.state != ready {
		s.mu.Unlock()
		return
	}
	s.due = time.Time{} // whatever is due now, the timer has to be set again
	out := s.takeLocked(s.machine.Tick(s.parts.Now()))
	s.mu.Unlock()
	s.deliver(out)
}
