package keys

import (
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// Indexer fills a Map: the first pass.
type Indexer struct {
	m       *Map
	from    kafka.Offset
	txns    transactions
	limits  record.Limits
	it      record.Iterator
	Records int64 // read so far
}

// NewIndexer clears m and begins to fill it with the keys of records at or above from. aborted are
// the aborted transactions that intersect what will be added.
func NewIndexer(
	m *Map, from kafka.Offset, aborted []segment.AbortedTxn, l record.Limits,
) *Indexer {
	m.Clear()
	return &Indexer{m: m, from: from, txns: newTransactions(aborted), limits: l}
}

// Add takes in the next batch. full says that the map had no room for all of its keys: the map
// reaches up to the batch, and the pass ends. A map that does not even reach beyond from is too
// small for this log.
func (x *Indexer) Add(b record.Batch) (full bool, err error) {
	if b.IsControl() {
		if _, _, err := x.txns.control(b, x.limits); err != nil {
			return false, err
		}
	} else if !x.txns.data(b) {
		if full, err := x.records(b); full || err != nil {
			return full, err
		}
	}
	if b.LastOffset() >= x.from {
		x.m.Reach(b.NextOffset())
	}
	return false, nil
}

func (x *Indexer) records(b record.Batch) (full bool, err error) {
	x.it.Reset(b, x.limits)
	defer x.it.Close()
	for x.it.NextKey() {
		r := x.it.Record()
		x.Records++
		if r.Key != nil && r.Offset >= x.from && !x.m.Put(r.Key, r.Offset) {
			return true, nil
		}
	}
	return false, x.it.Err()
}
