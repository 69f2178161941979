package keys

import (
	"slices"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// transactions follows a pass over batches and tells which of them belong to aborted transactions,
// and which markers nothing belongs to any more, as CleanedTransactionMetadata of Kafka.
type transactions struct {
	ahead     []segment.AbortedTxn // ascending by first offset, not begun yet
	aborted   map[kafka.ProducerID]*abortedTxn
	committed map[kafka.ProducerID]bool // a batch of one was met
}

// abortedTxn is an aborted transaction that the pass is in.
type abortedTxn struct{ met bool } // a batch of it was

func newTransactions(aborted []segment.AbortedTxn) transactions {
	t := transactions{
		ahead:     slices.Clone(aborted),
		aborted:   map[kafka.ProducerID]*abortedTxn{},
		committed: map[kafka.ProducerID]bool{},
	}
	slices.SortFunc(t.ahead, func(a, b segment.AbortedTxn) int {
		return int(min(1, max(-1, a.FirstOffset-b.FirstOffset)))
	})
	return t
}

func (t *transactions) reach(o kafka.Offset) {
	for len(t.ahead) > 0 && t.ahead[0].FirstOffset <= o {
		if id := t.ahead[0].ProducerID; t.aborted[id] == nil {
			t.aborted[id] = &abortedTxn{}
		}
		t.ahead = t.ahead[1:]
	}
}

// data takes in a batch of records and reports whether its transaction was aborted.
func (t *transactions) data(b record.Batch) bool {
	t.reach(b.LastOffset())
	if !b.IsTransactional() {
		return false
	}
	if txn := t.aborted[b.ProducerID()]; txn != nil {
		txn.met = true
		return true
	}
	t.committed[b.ProducerID()] = true
	return false
}

// control takes in a control batch and reports whether it ends a transaction of which no batch was
// met. aborts says that it ends an aborted one.
func (t *transactions) control(b record.Batch, l record.Limits) (void, aborts bool, err error) {
	t.reach(b.LastOffset())
	it := b.Records(l)
	defer it.Close()
	if !it.Next() {
		return true, false, it.Err() // it was emptied by an earlier cleaning
	}
	kind, _, ok := record.ParseMarker(it.Record())
	if !ok {
		return false, false, nil // not a marker: of use to someone else
	}
	id := b.ProducerID()
	if kind == record.Commit {
		void = !t.committed[id]
		delete(t.committed, id)
		return void, false, nil
	}
	txn := t.aborted[id]
	delete(t.aborted, id)
	return txn == nil || !txn.met, true, nil
}
