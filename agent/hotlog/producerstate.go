package hotlog

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"math"
	"time"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
)

// Producers is the producer state at the log end, in the order of ids.
func (l *Log) Producers() []segment.ProducerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return exportProducers(l.producers.all())
}

// ProducersAt is the producer state as of a rolled segment's NextOffset, which is the next
// segment's base: from the snapshot written at the roll, or replayed where that is damaged.
// ErrNoSegment when no segment begins there.
func (l *Log) ProducersAt(next kafka.Offset) ([]segment.ProducerState, error) {
	all, err := l.producersAtBase(next)
	if err != nil {
		return nil, err
	}
	return exportProducers(all), nil
}

// OpenTransactions counts the transactions without their marker to which nothing was appended since
// before, and says since when the one that was left for longest is; the zero time where there is none.
func (l *Log) OpenTransactions(before time.Time) (count int, since time.Time) {
	if l.undecide.Load() == math.MaxInt64 { // the usual case, without the lock
		return 0, since
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.txns.open {
		p := l.producers.byID[o.producer]
		if p == nil {
			continue
		}
		if at := time.UnixMilli(p.lastAppend); at.Before(before) {
			count++
			if since.IsZero() || at.Before(since) {
				since = at
			}
		}
	}
	return count, since
}

// AbortedIn gives the aborted transactions that intersect a range, in the order of their markers.
func (l *Log) AbortedIn(r kafka.OffsetRange) []segment.AbortedTxn {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []segment.AbortedTxn
	for _, e := range l.txns.abortedIn(r) {
		out = append(out, segment.AbortedTxn{
			ProducerID: e.producer, FirstOffset: e.first, LastOffset: e.last,
			LastStableOffset: e.stable,
		})
	}
	return out
}

// producersAtBase finds the snapshot at a segment's base, or replays from the nearest one before.
func (l *Log) producersAtBase(at kafka.Offset) ([]producer, error) {
	v := l.view.Load()
	to := findSegment(v, at)
	if to < 0 || v.segs[to].base != at {
		return nil, fmt.Errorf("producers at %d: %w", at, ErrNoSegment)
	}
	from := to
	var all []producer
	for ; from >= 0; from-- {
		var err error
		if all, err = l.readSnapshot(v.segs[from].base); err == nil {
			break
		}
		if !errors.Is(err, iofs.ErrNotExist) {
			l.deps.Logger.Warn("producer snapshot unreadable, replaying",
				"base_offset", v.segs[from].base, "err", err)
		}
	}
	table := newProducerTable()
	table.load(all)
	for _, s := range v.segs[max(from, 0):to] {
		if err := l.replayInto(&table, s); err != nil {
			return nil, err
		}
	}
	return table.all(), nil
}

// replayInto takes the producers' batches of a whole segment into a table.
func (l *Log) replayInto(t *producerTable, s *hotSegment) error {
	h, err := l.files.open(s)
	if err == errGone {
		return fmt.Errorf("segment %d: %w", s.base, ErrNoSegment)
	}
	if err != nil {
		return err
	}
	defer h.release()
	sc := newScanner(h, 0, s.size.Load(), true)
	defer sc.close()
	nowMs := l.nowMs()
	for {
		b, err := sc.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w: %w", s.base, ErrCorrupt, err)
		}
		if b.batch.ProducerID() == kafka.NoProducerID {
			continue
		}
		t.begin()
		p := t.staged(b.batch.ProducerID())
		if !b.batch.IsControl() {
			p.add(b.batch, b.batch.BaseOffset(), nowMs)
		} else if b.batch.Count() == 0 { // a cleaning left no more of the marker
			p.setEpoch(b.batch.ProducerEpoch())
		} else if m, err := parseMarker(b.batch); err == nil {
			p.endTxn(b.batch.ProducerEpoch(), m.coordinatorEpoch, b.batch.MaxTimestamp(), nowMs)
		}
		t.commit()
	}
}

func (l *Log) readSnapshot(at kafka.Offset) ([]producer, error) {
	b, err := vfs.ReadFile(l.files.fs, l.files.snapshotPath(at), stateFileMax)
	if err != nil {
		return nil, err
	}
	return decodeSnapshot(b)
}

func exportProducers(all []producer) []segment.ProducerState {
	out := make([]segment.ProducerState, 0, len(all))
	for i := range all {
		p := &all[i]
		st := segment.ProducerState{
			ProducerID: p.id, Epoch: p.epoch, LastSequence: p.lastSeq(),
			LastOffset: p.lastOffset(), LastTimestamp: p.lastTimestamp,
			CurrentTxnFirstOffset: p.txnFirst, CoordinatorEpoch: p.coordinatorEpoch,
		}
		for _, s := range p.span[:p.spans] {
			st.Batches = append(st.Batches, segment.ProducerBatch{
				FirstSequence: s.firstSeq, LastSequence: s.lastSeq,
				BaseOffset: s.baseOffset, LastOffset: s.lastOffset, Timestamp: s.timestamp,
			})
		}
		out = append(out, st)
	}
	return out
}

// importProducers takes over the producer states that were sealed at start. They count as having
// appended now. Transactions that are open there are not taken over: what is sealed lies below the last
// stable offset, so they have ended, at markers that this log never had. Their outcome is sealed, too.
func importProducers(all []segment.ProducerState, start kafka.Offset, nowMs int64) []producer {
	out := make([]producer, 0, len(all))
	for _, st := range all {
		p := producer{
			id: st.ProducerID, epoch: st.Epoch, coordinatorEpoch: st.CoordinatorEpoch,
			lastTimestamp: st.LastTimestamp, lastAppend: nowMs,
			txnFirst: st.CurrentTxnFirstOffset,
		}
		if p.txnFirst < start {
			p.txnFirst = kafka.NoOffset
		}
		kept := st.Batches[max(0, len(st.Batches)-batchesKept):]
		for i, b := range kept {
			p.span[i] = batchSpan{
				firstSeq: b.FirstSequence, lastSeq: b.LastSequence,
				baseOffset: b.BaseOffset, lastOffset: b.LastOffset, timestamp: b.Timestamp,
			}
		}
		p.spans = len(kept)
		out = append(out, p)
	}
	return out
}
