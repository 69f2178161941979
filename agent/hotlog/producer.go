package hotlog

import (
	"fmt"
	"math"
	"slices"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// batchesKept is how many of a producer's last batches are known again when they are repeated; a
// client may have so many requests in flight.
const batchesKept = 5

// producersMax bounds the producers known to one log. Past it the ones silent for longest are
// forgotten early, as if they had expired.
const producersMax = 1 << 16

// batchSpan is what is kept of one batch of an idempotent producer.
type batchSpan struct {
	firstSeq, lastSeq      int32
	baseOffset, lastOffset kafka.Offset
	timestamp              kafka.Timestamp
}

// producer is what the log knows of one producer id. It is a value: copying it copies everything.
type producer struct {
	id               kafka.ProducerID
	epoch            int16
	coordinatorEpoch int32
	lastTimestamp    kafka.Timestamp // of the newest batch or marker
	lastAppend       int64           // wall clock in ms, for expiration
	txnFirst         kafka.Offset    // of the open transaction, or kafka.NoOffset
	spans            int
	span             [batchesKept]batchSpan // oldest first
}

func newProducer(id kafka.ProducerID) producer {
	return producer{
		id: id, epoch: kafka.NoProducerEpoch, coordinatorEpoch: -1,
		lastTimestamp: kafka.NoTimestamp, txnFirst: kafka.NoOffset,
	}
}

func (p *producer) lastSeq() int32 {
	if p.spans == 0 {
		return kafka.NoSequence
	}
	return p.span[p.spans-1].lastSeq
}

func (p *producer) lastOffset() kafka.Offset {
	if p.spans == 0 {
		return kafka.NoOffset
	}
	return p.span[p.spans-1].lastOffset
}

// duplicateOf finds the batch among the last five.
func (p *producer) duplicateOf(b record.Batch) (batchSpan, bool) {
	if p.epoch != b.ProducerEpoch() {
		return batchSpan{}, false
	}
	first, last := b.BaseSequence(), b.LastSequence()
	for i := range p.span[:p.spans] {
		if p.span[i].firstSeq == first && p.span[i].lastSeq == last {
			return p.span[i], true
		}
	}
	return batchSpan{}, false
}

// check says whether a client's data batch may be appended now, as Kafka's ProducerAppendInfo does:
// a producer that is not known may begin at any sequence, since its state may have been lost to
// retention; a new epoch begins at 0; otherwise the sequence follows, 0 after 2^31-1.
func (p *producer) check(b record.Batch) error {
	epoch, first := b.ProducerEpoch(), b.BaseSequence()
	if err := p.checkEpoch(epoch); err != nil {
		return err
	}
	last := p.lastSeq()
	if epoch != p.epoch {
		if first != 0 && p.epoch != kafka.NoProducerEpoch {
			return &SequenceError{ProducerID: p.id, Epoch: epoch, Got: first, Last: kafka.NoSequence}
		}
	} else if !follows(last, first) {
		return &SequenceError{ProducerID: p.id, Epoch: epoch, Got: first, Last: last}
	}
	if p.txnFirst != kafka.NoOffset && !b.IsTransactional() {
		return fmt.Errorf("producer %d: %w", p.id, ErrInvalidTxnState)
	}
	return nil
}

// checkEpoch refuses what an older instance of the producer sends.
func (p *producer) checkEpoch(epoch int16) error {
	if epoch < p.epoch {
		return fmt.Errorf("producer %d epoch %d, current %d: %w",
			p.id, epoch, p.epoch, ErrInvalidProducerEpoch)
	}
	return nil
}

// checkMarker says whether an end-of-transaction marker may be appended. From transaction version 2 on
// its epoch is above that of the transaction, so that a late one is known; the same epoch is that of a
// marker that is repeated after its transaction ended, or of a producer that has no epoch left.
func (p *producer) checkMarker(epoch int16, coordinatorEpoch int32, version int16) error {
	late := epoch < p.epoch
	if version >= 2 && epoch == p.epoch {
		late = p.txnFirst != kafka.NoOffset && epoch != math.MaxInt16
	}
	if late {
		return fmt.Errorf("marker of producer %d epoch %d, current %d: %w",
			p.id, epoch, p.epoch, ErrInvalidProducerEpoch)
	}
	if coordinatorEpoch < p.coordinatorEpoch {
		return fmt.Errorf("marker of producer %d, coordinator epoch %d, current %d: %w",
			p.id, coordinatorEpoch, p.coordinatorEpoch, ErrTxnCoordinatorFenced)
	}
	return nil
}

func follows(last, first int32) bool {
	return int64(first) == int64(last)+1 || (first == 0 && last == math.MaxInt32)
}

func (p *producer) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.spans = 0
		p.epoch = epoch
	}
}

// add takes in a data batch whose base offset is base.
func (p *producer) add(b record.Batch, base kafka.Offset, nowMs int64) {
	p.setEpoch(b.ProducerEpoch())
	if p.spans == batchesKept {
		copy(p.span[:], p.span[1:])
		p.spans--
	}
	last := base + kafka.Offset(b.LastOffsetDelta())
	p.span[p.spans] = batchSpan{
		firstSeq: b.BaseSequence(), lastSeq: b.LastSequence(),
		baseOffset: base, lastOffset: last, timestamp: b.MaxTimestamp(),
	}
	p.spans++
	p.lastTimestamp = b.MaxTimestamp()
	p.lastAppend = nowMs
	if b.IsTransactional() && p.txnFirst == kafka.NoOffset {
		p.txnFirst = base
	}
}

// endTxn takes in a marker. It reports the first offset of the transaction that ended, if one was
// open.
func (p *producer) endTxn(
	epoch int16, coordinatorEpoch int32, ts kafka.Timestamp, nowMs int64,
) (kafka.Offset, bool) {
	p.setEpoch(epoch)
	p.coordinatorEpoch = coordinatorEpoch
	p.lastTimestamp, p.lastAppend = ts, nowMs
	first := p.txnFirst
	p.txnFirst = kafka.NoOffset
	return first, first != kafka.NoOffset
}

// producerTable is the producers of a log. It is not safe for concurrent use; Log guards it.
type producerTable struct {
	byID map[kafka.ProducerID]*producer
	// scratch holds the copies that an append checks and changes before it is written; they become
	// the state only when the write succeeded.
	scratch []producer
}

func newProducerTable() producerTable {
	return producerTable{byID: map[kafka.ProducerID]*producer{}}
}

// begin forgets what an append that failed left in scratch.
func (t *producerTable) begin() { t.scratch = t.scratch[:0] }

// staged gives the copy of a producer that the current append may change.
func (t *producerTable) staged(id kafka.ProducerID) *producer {
	for i := range t.scratch {
		if t.scratch[i].id == id {
			return &t.scratch[i]
		}
	}
	if p := t.byID[id]; p != nil {
		t.scratch = append(t.scratch, *p)
	} else {
		t.scratch = append(t.scratch, newProducer(id))
	}
	return &t.scratch[len(t.scratch)-1]
}

// commit makes the staged copies the state.
func (t *producerTable) commit() {
	for i := range t.scratch {
		if p := t.byID[t.scratch[i].id]; p != nil {
			*p = t.scratch[i]
			continue
		}
		p := t.scratch[i]
		t.byID[p.id] = &p
	}
	t.scratch = t.scratch[:0]
	if len(t.byID) > producersMax {
		t.evict(len(t.byID) - producersMax + producersMax/8)
	}
}

// expire forgets producers without an open transaction that appended nothing since before, in ms.
func (t *producerTable) expire(before int64) int {
	n := 0
	for id, p := range t.byID {
		if p.txnFirst == kafka.NoOffset && p.lastAppend < before {
			delete(t.byID, id)
			n++
		}
	}
	return n
}

// evict forgets up to n producers without an open transaction, those silent for longest.
func (t *producerTable) evict(n int) {
	ages := make([]int64, 0, len(t.byID))
	for _, p := range t.byID {
		ages = append(ages, p.lastAppend)
	}
	slices.Sort(ages)
	t.expire(ages[min(n, len(ages)-1)])
}

// all gives copies in the order of ids.
func (t *producerTable) all() []producer {
	out := make([]producer, 0, len(t.byID))
	for _, p := range t.byID {
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b producer) int {
		switch {
		case a.id < b.id:
			return -1
		case a.id > b.id:
			return 1
		}
		return 0
	})
	return out
}

// load replaces the state.
func (t *producerTable) load(all []producer) {
	clear(t.byID)
	for i := range all {
		p := all[i]
		t.byID[p.id] = &p
	}
}
