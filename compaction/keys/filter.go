package keys

import (
	"time"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

// Options say what a Filter keeps.
type Options struct {
	// Map knows the last record of each key; required.
	Map *Map
	// Now is the time of the cleaning; horizons at or before it have passed.
	Now kafka.Timestamp
	// DeleteRetention is how long tombstones and markers outlive the cleaning that met them first
	// (delete.retention.ms).
	DeleteRetention time.Duration
	// KeepDeletes lets no tombstone and no marker go: below what is filtered lie records of the log
	// that they are about.
	KeepDeletes bool
	// Producers are the live ones: their last batch is kept, for its sequence number.
	Producers map[kafka.ProducerID]LastBatch
	// Aborted are the aborted transactions that intersect what will be filtered.
	Aborted []segment.AbortedTxn
	// Limits bound what a batch may inflate to.
	Limits record.Limits
}

// LastBatch tells where a producer's last batch is.
type LastBatch struct {
	// LastOffset of its last data batch, kafka.NoOffset when a marker came after it with another
	// epoch; then the markers of Epoch are kept.
	LastOffset kafka.Offset
	Epoch      int16
}

// LastBatches gives what Options.Producers wants to know.
func LastBatches(all []segment.ProducerState) map[kafka.ProducerID]LastBatch {
	out := make(map[kafka.ProducerID]LastBatch, len(all))
	for i := range all {
		out[all[i].ProducerID] = LastBatch{LastOffset: all[i].LastOffset, Epoch: all[i].Epoch}
	}
	return out
}

// Stats counts what a Filter did.
type Stats struct {
	RecordsRead, RecordsKept int64
	BytesRead, BytesKept     int64
	// NullKeys are records that a compacted log should not have, which were dropped.
	NullKeys int64
	// Tombstones were kept, and Horizons set in batches that hold them or markers. TombstonesDropped went
	// because their horizon had passed.
	Tombstones, Horizons, TombstonesDropped int64
}

// Filter rewrites batches: the second pass.
type Filter struct {
	o         Options
	txns      transactions
	w         record.Rewriter
	stats     Stats
	forgotten []kafka.Offset
}

// NewFilter begins a pass.
func NewFilter(o Options) *Filter { return &Filter{o: o, txns: newTransactions(o.Aborted)} }

// SetProducers replaces Options.Producers, as when time has passed since.
func (f *Filter) SetProducers(p map[kafka.ProducerID]LastBatch) { f.o.Producers = p }

// Stats of all batches so far.
func (f *Filter) Stats() Stats { return f.stats }

// TakeForgotten gives the offsets of the markers of aborted transactions that went since the last
// call. With its marker a transaction has to be forgotten as aborted, or readers would drop what
// its producer wrote next.
func (f *Filter) TakeForgotten() []kafka.Offset {
	out := f.forgotten
	f.forgotten = nil
	return out
}

// Append appends what is left of the next batch to dst: the batch itself, one with fewer records,
// or nothing. With keep set it is one without records at least, so that its offsets are not lost:
// use it for the last batch of a file, and of a range.
func (f *Filter) Append(dst []byte, b record.Batch, keep bool) ([]byte, error) {
	v, err := f.judge(b)
	if err != nil {
		return dst, err
	}
	f.stats.BytesRead += int64(b.Size())
	keep = keep || f.isLastOfProducer(b)
	if v.drop && !keep {
		f.drop(b, v)
		return dst, nil
	}
	defer f.w.Close()
	tombstones := f.choose(b, v)
	if err := f.w.Err(); err != nil {
		return dst, err
	}
	f.drop(b, v)
	if f.w.Kept() == 0 && !keep {
		return dst, nil
	}
	horizon := kafka.NoTimestamp
	_, has := b.DeleteHorizon()
	if !has && f.w.Kept() > 0 && (tombstones > 0 || v.void && b.IsControl()) {
		horizon = f.o.Now + kafka.Timestamp(f.o.DeleteRetention.Milliseconds())
		f.stats.Horizons++
	}
	start := len(dst)
	if dst, err = f.w.Append(dst, horizon); err != nil {
		return dst, err
	}
	f.stats.RecordsKept += int64(f.w.Kept())
	f.stats.BytesKept += int64(len(dst) - start)
	f.stats.Tombstones += tombstones
	return dst, nil
}

// verdict is what the transactions say of a batch.
type verdict struct {
	void   bool // of an aborted transaction, or a marker of one without records
	drop   bool // none of its records is kept
	aborts bool // a marker that aborts
}

func (f *Filter) judge(b record.Batch) (v verdict, err error) {
	if !b.IsControl() {
		v.void = f.txns.data(b)
		v.drop = v.void
		return v, nil
	}
	v.void, v.aborts, err = f.txns.control(b, f.o.Limits)
	v.drop = v.void && f.passed(b)
	return v, err
}

// passed reports whether the batch's delete horizon is there and was reached.
func (f *Filter) passed(b record.Batch) bool {
	horizon, ok := b.DeleteHorizon()
	return ok && horizon <= f.o.Now && !f.o.KeepDeletes
}

// drop counts a batch's records and notes an aborted transaction whose marker goes.
func (f *Filter) drop(b record.Batch, v verdict) {
	f.stats.RecordsRead += int64(b.Count())
	if v.drop && v.aborts {
		f.forgotten = append(f.forgotten, b.BaseOffset())
	}
}

func (f *Filter) isLastOfProducer(b record.Batch) bool {
	if b.ProducerID() < 0 {
		return false
	}
	last, ok := f.o.Producers[b.ProducerID()]
	switch {
	case !ok:
		return false
	case last.LastOffset != kafka.NoOffset:
		return b.LastOffset() == last.LastOffset
	}
	return b.IsControl() && b.ProducerEpoch() == last.Epoch
}

// choose marks the records of b that are kept, and counts the tombstones among them.
func (f *Filter) choose(b record.Batch, v verdict) (tombstones int64) {
	f.w.Begin(b, f.o.Limits)
	passed := f.passed(b)
	for f.w.Next() {
		r := f.w.Record()
		switch {
		case v.drop || !b.IsControl() && !f.wants(&r, passed):
			continue
		case r.Value == nil:
			tombstones++
		}
		f.w.Keep()
	}
	return tombstones
}

// wants reports whether a data record is kept.
func (f *Filter) wants(r *record.Record, passed bool) bool {
	switch {
	case r.Offset >= f.o.Map.End():
		return true
	case r.Key == nil:
		f.stats.NullKeys++
		return false
	case r.Value == nil && passed:
		f.stats.TombstonesDropped++
		return false
	}
	last, known := f.o.Map.Get(r.Key)
	return !known || r.Offset >= last
}
