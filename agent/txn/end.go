package txn

import (
	"math"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// End commits or aborts a producer's transaction.
type End struct {
	ID       string
	Producer coordinator.Producer
	Commit   bool
	Version  Version // of the client
}

// End answers with the producer that goes on, as a coordinator.Producer, once the outcome is decided;
// with version 0 that is the zero value's opposite, {NoProducerID, NoProducerEpoch}. Markers follow.
func (m *Machine) End(now time.Time, to coordinator.Token, q End) (eff coordinator.Effects) {
	if q.ID == "" {
		eff.Refuse(to, ErrInvalidTransactionalID)
		return eff
	}
	e := m.ids[q.ID]
	if e == nil {
		eff.Refuse(to, ErrInvalidProducerIDMapping)
		return eff
	}
	check := m.checkEnd0
	if q.Version >= Version2 {
		check = m.checkEnd2
	}
	done, err := check(e, q)
	switch {
	case err != nil:
		eff.Refuse(to, err)
	case done && q.Version >= Version2:
		eff.Answer(to, e.producer)
	case done:
		eff.Answer(to, nobody)
	default:
		m.endNow(&eff, e, now, to, q)
	}
	return eff
}

// nobody is the producer that an answer to a client before version 2 holds.
var nobody = coordinator.Producer{ID: kafka.NoProducerID, Epoch: kafka.NoProducerEpoch}

func (m *Machine) endNow(
	eff *coordinator.Effects, e *entry, now time.Time, to coordinator.Token, q End,
) {
	if err := m.end(eff, e, q.Commit, q.Version, now); err != nil {
		eff.Refuse(to, err)
		return
	}
	next := e.producer
	switch {
	case q.Version < Version2:
		next = nobody
	case e.state.ending(): // what the completion will make of it
		next = e.metadata.complete(0).producer
	}
	eff.Answer(to, next)
}

// checkEnd0 decides for a client before version 2: whether its transaction ended that way already, or
// why it cannot.
func (m *Machine) checkEnd0(e *entry, q End) (done bool, err error) {
	switch {
	case e.producer.ID != q.Producer.ID:
		return false, ErrInvalidProducerIDMapping
	case e.producer.Epoch != q.Producer.Epoch:
		return false, ErrProducerFenced
	case e.state.ending():
		return false, ErrConcurrentTransactions
	case e.state == Ongoing:
		return false, nil
	case e.state == CompleteCommit && q.Commit, e.state == CompleteAbort && !q.Commit:
		return true, nil
	}
	return false, ErrInvalidTxnState
}

// checkEnd2 does the same for version 2. There the epoch tells a repeated request, which has the epoch
// before the bump, from the end of the next transaction. The table is KIP-890's:
//
//	                 abort: repeated  current    commit: repeated  current
//	Empty                   fenced    bump               fenced    invalid
//	CompleteAbort           done      bump               invalid   invalid
//	CompleteCommit          invalid   bump               done      invalid
func (m *Machine) checkEnd2(e *entry, q End) (done bool, err error) {
	overflown := e.previousID == q.Producer.ID && q.Producer.Epoch == math.MaxInt16-1 &&
		e.producer.Epoch == 0
	bumped := e.producer.Epoch == q.Producer.Epoch+1
	complete := e.state == CompleteCommit || e.state == CompleteAbort
	repeated := bumped || overflown
	switch {
	case e.state.ending():
		return false, ErrConcurrentTransactions
	case e.producer.ID != q.Producer.ID && !overflown:
		return false, ErrInvalidProducerIDMapping
	case e.producer.Epoch != q.Producer.Epoch && (!complete || !repeated):
		return false, ErrProducerFenced
	case e.state == Ongoing:
		return false, nil
	case !complete: // Empty
		if q.Commit {
			return false, ErrInvalidTxnState
		}
		return false, nil
	case repeated:
		if q.Commit == (e.state == CompleteCommit) {
			return true, nil
		}
		return false, ErrInvalidTxnState
	case q.Commit:
		return false, ErrInvalidTxnState
	}
	return false, nil
}

// end decides how a transaction ends and asks for its markers. ErrNeedsProducerID: the epochs of its
// producer id are used up by it, and there is no other id; nothing is changed.
func (m *Machine) end(
	eff *coordinator.Effects, e *entry, commit bool, v Version, now time.Time,
) error {
	nextID := kafka.NoProducerID
	if v >= Version2 && epochExhausted(e.producer.Epoch) {
		fresh, ok := m.take()
		if !ok {
			return ErrNeedsProducerID
		}
		nextID = fresh
	}
	last := e.lastEpoch
	if v >= Version2 {
		last = e.producer.Epoch
	}
	m.put(eff, e.id, e.prepare(commit, v, nextID, kafka.TimestampOf(now)))
	e.lastEpoch = last
	m.mark(eff, e, now)
	return nil
}
