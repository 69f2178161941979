package txn

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// AddPartitions makes partitions part of a producer's transaction, which it begins.
type AddPartitions struct {
	ID         string
	Producer   coordinator.Producer
	Partitions []Partition
	Version    Version // of the client that asks, or for which a broker asks
}

// AddPartitions answers nil once the partitions are part of the transaction. While the transaction
// before still ends it waits for that, for a bounded time, then it refuses with
// ErrConcurrentTransactions.
func (m *Machine) AddPartitions(now time.Time, to coordinator.Token, q AddPartitions,
) (eff coordinator.Effects) {
	if q.ID == "" {
		eff.Refuse(to, ErrInvalidTransactionalID)
		return eff
	}
	e := m.ids[q.ID]
	switch {
	case e == nil:
		eff.Refuse(to, ErrInvalidProducerIDMapping)
	case e.state.ending(): // before the producer is looked at: its id may be about to change
		m.await(&eff, e, now, to, q)
	case e.producer.ID != q.Producer.ID:
		eff.Refuse(to, ErrInvalidProducerIDMapping)
	case e.producer.Epoch != q.Producer.Epoch:
		eff.Refuse(to, ErrProducerFenced)
	case e.state == Ongoing && e.partitions.hasAll(q.Partitions):
		eff.Answer(to, nil)
	default:
		next := e.add(q.Partitions, q.Version, kafka.TimestampOf(now))
		if next.partitions.bytes() > partitionsBytesMax {
			eff.Refuse(to, ErrTooManyPartitions)
			return eff
		}
		m.put(&eff, q.ID, next)
		eff.Answer(to, nil)
	}
	return eff
}

// await keeps a request until the transaction under way has ended.
func (m *Machine) await(
	eff *coordinator.Effects, e *entry, now time.Time, to coordinator.Token, q AddPartitions,
) {
	if m.cfg.ConcurrentWait == 0 || len(e.waiting) >= waitingMax {
		eff.Refuse(to, ErrConcurrentTransactions)
		return
	}
	e.waiting = append(e.waiting, waiter{
		to: to, request: q, deadline: now.Add(m.cfg.ConcurrentWait),
	})
}

// VerifyPartitions asks whether partitions are part of a producer's transaction.
type VerifyPartitions struct {
	ID         string
	Producer   coordinator.Producer
	Partitions []Partition
}

// VerifyPartitions answers with an error or nil for each partition, as []error: ErrAbortable for those
// that are not part of the transaction. It refuses what concerns all of them.
func (m *Machine) VerifyPartitions(_ time.Time, to coordinator.Token, q VerifyPartitions,
) (eff coordinator.Effects) {
	if q.ID == "" {
		eff.Refuse(to, ErrInvalidTransactionalID)
		return eff
	}
	e := m.ids[q.ID]
	switch {
	case e == nil || e.producer.ID != q.Producer.ID:
		eff.Refuse(to, ErrInvalidProducerIDMapping)
	case e.producer.Epoch != q.Producer.Epoch:
		eff.Refuse(to, ErrProducerFenced)
	case e.state.ending():
		eff.Refuse(to, ErrConcurrentTransactions)
	default:
		verdicts := make([]error, len(q.Partitions))
		for i, p := range q.Partitions {
			if _, in := e.partitions[p]; !in {
				verdicts[i] = ErrAbortable
			}
		}
		eff.Answer(to, verdicts)
	}
	return eff
}
