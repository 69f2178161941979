package txn

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Due is when Tick has something to do.
func (m *Machine) Due() time.Time {
	var due time.Time
	at := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	if len(m.ongoing) > 0 {
		at(m.nextAbort)
	}
	if len(m.ids) > 0 {
		at(m.nextExpire)
	}
	for _, e := range m.ending {
		at(e.retryAt)
		for _, w := range e.waiting {
			at(w.deadline)
		}
	}
	return due
}

// Tick aborts transactions that ran out of time, forgets ids that expired, asks again for markers, and
// refuses who waited for too long.
func (m *Machine) Tick(now time.Time) coordinator.Effects {
	var eff coordinator.Effects
	if !now.Before(m.nextAbort) {
		m.nextAbort = now.Add(m.cfg.AbortInterval)
		m.abortTimedOut(&eff, now)
	}
	if !now.Before(m.nextExpire) {
		m.nextExpire = now.Add(m.cfg.RemoveInterval)
		m.expire(&eff, now)
	}
	for _, e := range byID(m.ending) {
		if !e.retryAt.IsZero() && !now.Before(e.retryAt) {
			m.mark(&eff, e, now)
		}
		m.refuseLate(&eff, e, now)
	}
	return eff
}

// abortTimedOut fences the producers of the transactions that ran out of time and aborts them.
func (m *Machine) abortTimedOut(eff *coordinator.Effects, now time.Time) {
	m.wanted = false // asked again where the answer was lost
	for _, e := range byID(m.ongoing) {
		deadline, has := e.deadline()
		if !has || kafka.TimestampOf(now) <= deadline {
			continue
		}
		if full(eff) {
			m.nextAbort = now
			return
		}
		if err := m.fence(eff, e, now); err != nil {
			m.want(eff) // tried again at the next look
		}
	}
}

// fence aborts a running transaction under an epoch that its producer never learns. An error means
// that a producer id is needed, since this one has no epochs left.
func (m *Machine) fence(eff *coordinator.Effects, e *entry, now time.Time) error {
	return m.end(eff, e, false, Version2, now)
}

// want asks the owner for a producer id, once.
func (m *Machine) want(eff *coordinator.Effects) {
	if m.wanted || m.spare != kafka.NoProducerID {
		return
	}
	m.wanted = true
	eff.Actions = append(eff.Actions, NeedProducerID{})
}

// expire forgets the ids that had no transaction for transactional.id.expiration.ms.
func (m *Machine) expire(eff *coordinator.Effects, now time.Time) {
	before := kafka.TimestampOf(now.Add(-m.cfg.IDExpiration))
	var expired []*entry
	for _, e := range m.ids {
		if e.state.idle() && e.updated <= before {
			expired = append(expired, e)
		}
	}
	for _, e := range sortByID(expired) {
		if full(eff) {
			m.nextExpire = now
			return
		}
		eff.Records = append(eff.Records, coordinator.Record{Key: encodeKey(e.id)})
		m.forget(e.id)
	}
}

// full reports that a batch should not grow any more.
func full(eff *coordinator.Effects) bool {
	n := 0
	for _, r := range eff.Records {
		n += len(r.Key) + len(r.Value) + 32
	}
	return len(eff.Records) >= batchMax || n >= batchBytesMax
}

// refuseLate ends the waits that took too long.
func (m *Machine) refuseLate(eff *coordinator.Effects, e *entry, now time.Time) {
	kept := e.waiting[:0]
	for _, w := range e.waiting {
		if now.Before(w.deadline) {
			kept = append(kept, w)
			continue
		}
		eff.Refuse(w.to, ErrConcurrentTransactions)
	}
	clear(e.waiting[len(kept):])
	e.waiting = kept
}
