package hotlog

import (
	"errors"
	"fmt"
	"io"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// OffsetForTime finds the first record on this disk, at or above the log start offset, whose
// timestamp is at or after ts, and false when there is none. It is right whatever the order of
// timestamps.
func (l *Log) OffsetForTime(ts kafka.Timestamp) (kafka.Offset, kafka.Timestamp, bool, error) {
	l.viewMu.RLock()
	defer l.viewMu.RUnlock()
	for _, s := range l.segmentsWithTime(ts) {
		o, at, ok, err := l.searchTime(s, ts)
		if err == errGone {
			continue // released meanwhile
		}
		if ok || err != nil {
			return o, at, ok, err
		}
	}
	return kafka.NoOffset, kafka.NoTimestamp, false, nil
}

// segmentsWithTime are those that have a batch whose timestamp reaches ts, oldest first.
func (l *Log) segmentsWithTime(ts kafka.Timestamp) []*hotSegment {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*hotSegment
	start := l.LogStartOffset()
	for _, s := range l.view.Load().segs {
		if s.info.maxTimestamp >= ts && s.info.next > start && s.info.bytes > 0 {
			out = append(out, s)
		}
	}
	return out
}

func (l *Log) searchTime(
	s *hotSegment, ts kafka.Timestamp,
) (kafka.Offset, kafka.Timestamp, bool, error) {
	h, err := l.files.open(s)
	if err != nil {
		return 0, 0, false, err
	}
	defer h.release()
	pos, err := l.floorTime(s, ts)
	if err != nil {
		return 0, 0, false, err
	}
	sc := newScanner(h, pos, s.size.Load(), false)
	defer sc.close()
	start := l.LogStartOffset()
	for {
		b, err := sc.next()
		if err == io.EOF {
			return 0, 0, false, nil
		}
		if err != nil {
			return 0, 0, false, scanError(s, err)
		}
		if b.batch.MaxTimestamp() < ts || b.next() <= start || b.batch.IsControl() {
			continue
		}
		r, ok, err := l.firstRecord(h, s, b, func(r record.Record) bool {
			return r.Timestamp >= ts && r.Offset >= start
		})
		if ok || err != nil {
			return r.Offset, r.Timestamp, ok, err
		}
	}
}

func scanError(s *hotSegment, err error) error {
	if errors.Is(err, errTorn) {
		return fmt.Errorf("segment %d: %w: %w", s.base, ErrCorrupt, err)
	}
	return err
}

// firstRecord reads one batch and gives its first record that is wanted.
func (l *Log) firstRecord(
	h *handle, s *hotSegment, at batchAt, wanted func(record.Record) bool,
) (record.Record, bool, error) {
	whole := make([]byte, at.size)
	if n, err := h.ReadAt(whole, at.pos); n < len(whole) {
		return record.Record{}, false, shortRead(s, at.pos, err)
	}
	it := record.Batch(whole).Records(record.DefaultLimits())
	defer it.Close()
	for it.Next() {
		if r := it.Record(); wanted(r) {
			return record.Record{Offset: r.Offset, Timestamp: r.Timestamp}, true, nil
		}
	}
	if err := it.Err(); err != nil {
		return record.Record{}, false, fmt.Errorf("segment %d, byte %d: %w: %w",
			s.base, at.pos, ErrCorrupt, err)
	}
	return record.Record{}, false, nil
}

// MaxTimestamp is the first record with the largest timestamp on this disk; kafka.NoOffset and
// kafka.NoTimestamp when there is none.
func (l *Log) MaxTimestamp() (kafka.Offset, kafka.Timestamp, error) {
	l.viewMu.RLock()
	defer l.viewMu.RUnlock()
	s, pos, ts := l.segmentOfMaxTimestamp()
	if s == nil {
		return kafka.NoOffset, kafka.NoTimestamp, nil
	}
	h, err := l.files.open(s)
	if err != nil {
		return 0, 0, err
	}
	defer h.release()
	sc := newScanner(h, pos, s.size.Load(), false)
	defer sc.close()
	b, err := sc.next()
	if err != nil {
		return 0, 0, scanError(s, err)
	}
	r, ok, err := l.firstRecord(h, s, b, func(r record.Record) bool { return r.Timestamp >= ts })
	if err != nil || !ok {
		return kafka.NoOffset, kafka.NoTimestamp, err
	}
	return r.Offset, r.Timestamp, nil
}

func (l *Log) segmentOfMaxTimestamp() (best *hotSegment, pos int64, ts kafka.Timestamp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ts = kafka.NoTimestamp
	for _, s := range l.view.Load().segs {
		if s.info.bytes > 0 && s.info.maxTimestamp > ts {
			best, pos, ts = s, int64(s.info.maxTimestampPos), s.info.maxTimestamp
		}
	}
	return best, pos, ts
}
