package hotlog

import (
	"fmt"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Guard names one verification of a producer's transaction. An append that begins a transaction shows
// it, which proves that no marker came between the coordinator's word and the append (KIP-890).
type Guard uint64

// NoGuard is shown by appends that need none.
const NoGuard Guard = 0

// verifyingMax bounds the verifications under way in one log.
const verifyingMax = 1 << 12

// verification is a producer that is about to begin a transaction here.
type verification struct {
	guard Guard
	epoch int16
	// lowest is the lowest sequence number that waits: those above it must not be appended before.
	lowest int32
	// bumps says that the producer's epoch is bumped by each transaction, so that each begins at 0.
	bumps bool
	since int64 // wall clock in ms
}

// BeginVerification is asked before a producer's transactional batch is appended, with its sequence.
// NoGuard: its transaction is open here, append at once. Otherwise the coordinator is to be asked, and
// the guard shown to Append. bumps is for producers of transaction version 2.
// ErrInvalidProducerEpoch: a newer instance wrote already.
func (l *Log) BeginVerification(
	id kafka.ProducerID, epoch int16, sequence int32, bumps bool,
) (Guard, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.producerLocked(id)
	if err := p.checkEpoch(epoch); err != nil || p.inTransaction(epoch) {
		return NoGuard, err
	}
	v, ok := l.verifying[id]
	if !ok {
		l.guards++
		v = verification{
			guard: l.guards, epoch: epoch, lowest: sequence, bumps: bumps, since: l.nowMs(),
		}
	}
	if epoch > v.epoch || epoch == v.epoch && sequence < v.lowest {
		v.epoch, v.lowest = epoch, sequence
	}
	if l.verifying == nil {
		l.verifying = map[kafka.ProducerID]verification{}
	}
	l.makeRoomLocked(id)
	l.verifying[id] = v
	return v.guard, nil
}

// makeRoomLocked forgets a verification where there are too many: its append is refused.
func (l *Log) makeRoomLocked(keep kafka.ProducerID) {
	if _, there := l.verifying[keep]; there || len(l.verifying) < verifyingMax {
		return
	}
	for id := range l.verifying {
		delete(l.verifying, id)
		return
	}
}

// inTransaction reports that the instance of that epoch has a transaction open.
func (p *producer) inTransaction(epoch int16) bool {
	return p.txnFirst != kafka.NoOffset && p.epoch == epoch
}

// verifyLocked checks that a producer has a transaction open, or may begin one with its guard.
func (l *Log) verifyLocked(p *producer, epoch int16, g Guard) error {
	if err := p.checkEpoch(epoch); err != nil || p.inTransaction(epoch) {
		return err
	}
	if v, ok := l.verifying[p.id]; !ok || v.guard != g {
		return fmt.Errorf("producer %d: %w", p.id, ErrNotVerified)
	}
	return nil
}

// CheckTransaction says whether a coordinator's append to a producer's transaction would be taken now.
func (l *Log) CheckTransaction(id kafka.ProducerID, epoch int16, g Guard) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.verifyLocked(l.producerLocked(id), epoch, g)
}

// CheckMarker says whether a marker would be taken now.
func (l *Log) CheckMarker(
	id kafka.ProducerID, epoch int16, coordinatorEpoch int32, version int16,
) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.producerLocked(id).checkMarker(epoch, coordinatorEpoch, version)
}

// producerLocked is what is known of a producer. It must not be changed.
func (l *Log) producerLocked(id kafka.ProducerID) *producer {
	if p := l.producers.byID[id]; p != nil {
		return p
	}
	p := newProducer(id)
	return &p
}

// checkWaitingLocked refuses a client's batch that would overtake one that waits for its verification.
func (l *Log) checkWaitingLocked(p *producer, b record.Batch) error {
	v, ok := l.verifying[p.id]
	first := b.BaseSequence()
	if ok && (first > v.lowest || v.bumps && first != 0 && p.spans == 0) {
		return &SequenceError{
			ProducerID: p.id, Epoch: b.ProducerEpoch(), Got: first, Last: v.lowest - 1,
		}
	}
	return nil
}

// verifiedLocked forgets a verification: a transaction has begun, or ended. The marker before a
// transaction that waits already, which has its epoch, leaves it.
func (l *Log) verifiedLocked(b record.Batch) {
	if len(l.verifying) == 0 || !b.IsTransactional() {
		return
	}
	v, ok := l.verifying[b.ProducerID()]
	if ok && !(b.IsControl() && v.bumps && b.ProducerEpoch() == v.epoch) {
		delete(l.verifying, b.ProducerID())
	}
}

// expireVerificationsLocked forgets those that no append followed.
func (l *Log) expireVerificationsLocked(before int64) {
	for id, v := range l.verifying {
		if v.since < before {
			delete(l.verifying, id)
		}
	}
}
