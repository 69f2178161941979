package hotlog

import (
	"slices"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
)

// StableState is what a log knows of itself at its last stable offset.
type StableState struct {
	// EndOffset is that offset.
	EndOffset kafka.Offset
	// Producers are as of there: without batches and transactions that begin above.
	Producers []segment.ProducerState
	Epochs    []kafka.EpochStart
}

// Stable is the state at the last stable offset under a high watermark.
func (l *Log) Stable(highWatermark kafka.Offset) StableState {
	l.mu.Lock()
	end := l.txns.stable(highWatermark)
	all := l.producers.all()
	epochs := slices.Clone(l.epochs.entries)
	l.mu.Unlock()
	out := StableState{EndOffset: end, Producers: exportProducers(all), Epochs: epochs}
	for i := range out.Producers {
		out.Producers[i] = stableProducer(out.Producers[i], end)
	}
	return out
}

// stableProducer is a producer's state without what lies at or above end. Its epoch may be newer
// than at end, which only refuses what is older.
func stableProducer(p segment.ProducerState, end kafka.Offset) segment.ProducerState {
	if p.CurrentTxnFirstOffset >= end {
		p.CurrentTxnFirstOffset = kafka.NoOffset
	}
	if p.LastOffset < end {
		return p
	}
	p.Batches = slices.DeleteFunc(slices.Clone(p.Batches), func(b segment.ProducerBatch) bool {
		return b.LastOffset >= end
	})
	p.LastOffset, p.LastSequence = kafka.NoOffset, kafka.NoSequence
	if n := len(p.Batches); n > 0 {
		last := p.Batches[n-1]
		p.LastOffset, p.LastSequence = last.LastOffset, last.LastSequence
	}
	return p
}

// BytesFrom is about how many bytes of segment files lie at and above an offset.
func (l *Log) BytesFrom(o kafka.Offset) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for _, s := range l.view.Load().segs {
		switch {
		case s.base >= o:
			n += s.info.bytes
		case s.info.next > o:
			share := float64(s.info.next-o) / float64(s.info.next-s.base)
			n += int64(share * float64(s.info.bytes))
		}
	}
	return n
}

// Cleaning tells what cleanings may have taken: from completeFrom on every tombstone is there, and
// for each record that went a later one of its key lies below end.
func (l *Log) Cleaning() (completeFrom, end kafka.Offset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.view.Load()
	for _, s := range v.segs {
		if s.info.gen > 0 { // a cleaning goes up to the active segment at most
			end = v.active().base
		}
	}
	return l.dropped, end
}

// recoverDropped assumes that any cleaning before this run dropped tombstones.
func (l *Log) recoverDropped(v *view) {
	for _, s := range v.segs {
		if s.info.gen > 0 {
			l.dropped = v.active().base
		}
	}
}
