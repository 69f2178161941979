package hotlog

import (
	"slices"
	"sort"

	"github.com/varve-log/varve/kafka"
)

// openTxn is a transaction without its marker.
type openTxn struct {
	first    kafka.Offset
	producer kafka.ProducerID
}

// endedTxn is a transaction with its marker. stable is the last stable offset that its end left.
type endedTxn struct {
	producer           kafka.ProducerID
	first, last        kafka.Offset
	stable             kafka.Offset
	aborted, unsettled bool
}

// txnTable follows the transactions of a log. It is a pure value; Log guards it.
type txnTable struct {
	open []openTxn // ascending by first
	// ended holds, ascending by last, the aborted ones that local data needs, and the committed
	// ones until StableOffset sees their marker below the high watermark.
	ended []endedTxn
}

// begin notes that a producer's transaction starts at first.
func (t *txnTable) begin(id kafka.ProducerID, first kafka.Offset) {
	t.open = append(t.open, openTxn{first: first, producer: id})
}

// end notes a producer's marker at offset last.
func (t *txnTable) end(id kafka.ProducerID, first, last kafka.Offset, aborted bool) {
	t.open = slices.DeleteFunc(t.open, func(o openTxn) bool {
		return o.producer == id && o.first == first
	})
	t.ended = append(t.ended, endedTxn{
		producer: id, first: first, last: last, stable: t.undecided(last + 1),
		aborted: aborted, unsettled: true,
	})
}

// undecided is the first offset of the oldest open transaction, or end.
func (t *txnTable) undecided(end kafka.Offset) kafka.Offset {
	if len(t.open) > 0 {
		return min(t.open[0].first, end)
	}
	return end
}

// stable is the last stable offset under a high watermark: below every transaction whose outcome is
// open or could still be lost. It forgets what the high watermark settles.
func (t *txnTable) stable(highWatermark kafka.Offset) kafka.Offset {
	out := t.undecided(highWatermark)
	kept := t.ended[:0]
	for _, e := range t.ended {
		if e.unsettled && e.last < highWatermark {
			e.unsettled = false
		}
		if e.unsettled {
			out = min(out, e.first)
		}
		if e.unsettled || e.aborted {
			kept = append(kept, e)
		}
	}
	t.ended = kept
	return out
}

// abortedIn gives the aborted transactions that intersect a range, ascending by last.
func (t *txnTable) abortedIn(r kafka.OffsetRange) []endedTxn {
	from := sort.Search(len(t.ended), func(i int) bool { return t.ended[i].last >= r.Base })
	var out []endedTxn
	for _, e := range t.ended[from:] {
		if e.aborted && e.first < r.Next {
			out = append(out, e)
		}
	}
	return out
}

// release forgets the transactions that end below start.
func (t *txnTable) release(start kafka.Offset) {
	from := sort.Search(len(t.ended), func(i int) bool { return t.ended[i].last >= start })
	t.ended = slices.Clone(t.ended[from:])
}

// forget drops the aborted transactions whose markers a cleaning removed.
func (t *txnTable) forget(markers []kafka.Offset) {
	if len(markers) == 0 {
		return
	}
	t.ended = slices.DeleteFunc(slices.Clone(t.ended), func(e endedTxn) bool {
		return e.aborted && slices.Contains(markers, e.last)
	})
}

// aborted gives all aborted ones.
func (t *txnTable) aborted() []endedTxn {
	var out []endedTxn
	for _, e := range t.ended {
		if e.aborted {
			out = append(out, e)
		}
	}
	return out
}

// load replaces the state: the open transactions are those of the producers.
func (t *txnTable) load(producers []producer, aborted []endedTxn) {
	t.open, t.ended = nil, slices.Clone(aborted)
	for _, p := range producers {
		if p.txnFirst != kafka.NoOffset {
			t.open = append(t.open, openTxn{first: p.txnFirst, producer: p.id})
		}
	}
	slices.SortFunc(t.open, func(a, b openTxn) int { return int(min(1, max(-1, a.first-b.first))) })
}
