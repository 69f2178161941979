package txn

import (
	"math"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// InitProducerID asks for the producer id and epoch of a transactional id.
type InitProducerID struct {
	ID      string
	Timeout time.Duration // of its transactions
	// Expected, if not nil, is what the producer had (KIP-360): it goes on after an error, and is fenced
	// if someone else took over since.
	Expected *coordinator.Producer
	// TwoPhase asks for transactions without a time-out, KeepPrepared for not aborting one (KIP-939).
	TwoPhase, KeepPrepared bool
}

// InitProducerID gives a producer its id and epoch, as a coordinator.Producer. Whoever had them before
// is fenced; a transaction that runs is aborted first, and the answer is ErrConcurrentTransactions.
func (m *Machine) InitProducerID(now time.Time, to coordinator.Token, q InitProducerID,
) (eff coordinator.Effects) {
	timeoutMs, err := m.checkInit(&q)
	if err != nil {
		eff.Refuse(to, err)
		return eff
	}
	e := m.ids[q.ID]
	if e == nil {
		m.initNew(&eff, now, to, q.ID, timeoutMs)
		return eff
	}
	switch {
	case e.state.ending():
		eff.Refuse(to, ErrConcurrentTransactions)
	case q.Expected != nil && !e.knows(*q.Expected):
		eff.Refuse(to, ErrProducerFenced)
	case e.state == Ongoing:
		if err := m.fence(&eff, e, now); err != nil {
			eff.Refuse(to, err)
			return eff
		}
		eff.Refuse(to, ErrConcurrentTransactions)
	default:
		m.reinit(&eff, now, e, to, reinit{timeoutMs, q.Expected})
	}
	return eff
}

func (m *Machine) checkInit(q *InitProducerID) (timeoutMs int32, err error) {
	switch {
	case q.ID == "":
		return 0, ErrInvalidTransactionalID
	case q.TwoPhase && !m.cfg.TwoPhase:
		return 0, ErrTwoPhaseDisabled
	case q.KeepPrepared:
		return 0, ErrKeepPrepared
	case q.TwoPhase:
		return math.MaxInt32, nil
	case q.Timeout <= 0 || q.Timeout > m.cfg.MaxTimeout:
		return 0, ErrInvalidTimeout
	}
	return int32(q.Timeout / time.Millisecond), nil
}

// knows reports a producer that may go on under this id: it has the id's producer id, or had the one
// before until its epochs ran out and missed the answer with the new one.
func (e *entry) knows(p coordinator.Producer) bool {
	return e.producer.Epoch == kafka.NoProducerEpoch || p.ID == e.producer.ID ||
		p.ID == e.previousID && epochExhausted(p.Epoch)
}

func (m *Machine) initNew(
	eff *coordinator.Effects, now time.Time, to coordinator.Token, id string, timeoutMs int32,
) {
	if len(m.ids) >= idsMax {
		eff.Refuse(to, ErrTooManyIDs)
		return
	}
	fresh, ok := m.take()
	if !ok {
		eff.Refuse(to, ErrNeedsProducerID)
		return
	}
	first := metadata{
		producer:   coordinator.Producer{ID: fresh, Epoch: kafka.NoProducerEpoch},
		previousID: kafka.NoProducerID, nextID: kafka.NoProducerID,
	}
	e := m.put(eff, id, first.reinit(
		coordinator.Producer{ID: fresh}, timeoutMs, kafka.TimestampOf(now)))
	e.lastEpoch = kafka.NoProducerEpoch
	eff.Answer(to, e.producer)
}

// reinit bumps the epoch of an id without a transaction.
func (m *Machine) reinit(
	eff *coordinator.Effects, now time.Time, e *entry, to coordinator.Token, r reinit,
) {
	next, last, err := m.bump(e, r.expected)
	if err != nil {
		eff.Refuse(to, err)
		return
	}
	m.put(eff, e.id, e.metadata.reinit(next, r.timeoutMs, kafka.TimestampOf(now)))
	e.lastEpoch = last
	eff.Answer(to, e.producer)
}

// reinit is what is left of a checked request.
type reinit struct {
	timeoutMs int32
	expected  *coordinator.Producer
}

// bump gives the producer that an id has next, and the epoch that may ask for the same once more.
func (m *Machine) bump(e *entry, expected *coordinator.Producer,
) (next coordinator.Producer, last int16, err error) {
	current := e.producer.Epoch
	continued := expected != nil && expected.Epoch == current
	next, last = e.producer, kafka.NoProducerEpoch
	switch {
	case expected != nil && !continued:
		if expected.Epoch != e.lastEpoch {
			return next, last, ErrProducerFenced
		}
		return next, e.lastEpoch, nil // asked before, and the answer was lost
	case epochExhausted(current):
		fresh, ok := m.take()
		if !ok {
			return next, last, ErrNeedsProducerID
		}
		next = coordinator.Producer{ID: fresh}
	default:
		next.Epoch++
	}
	if continued {
		last = current
	}
	return next, last, nil
}
