package hotlog

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Read fills dst with whole batches, beginning with the one that contains from or, where a cleaning
// left a hole, follows it; every one ends at or below until. It returns how many bytes it filled; 0
// and nil says that no such batch is there yet. The caller skips records below from, as every Kafka
// client does.
//
// Errors: *ShortBufferError when the first batch is larger than dst, ErrBelowLocalStart,
// ErrOffsetOutOfRange above the log end, ErrCorrupt, ErrClosed. Bytes of dst past n are garbage.
func (l *Log) Read(dst []byte, from, until kafka.Offset) (n int, err error) {
	l.viewMu.RLock()
	defer l.viewMu.RUnlock()
	if l.closed.Load() {
		return 0, ErrClosed
	}
	end := l.LogEndOffset()
	if from > end {
		return 0, fmt.Errorf("read at %d, log end %d: %w", from, end, ErrOffsetOutOfRange)
	}
	until = min(until, end)
	for from < until && n < len(dst) {
		v := l.view.Load()
		i := findSegment(v, from)
		if i < 0 {
			return l.below(n, from, v)
		}
		got, next, err := l.readSegment(v.segs[i], dst[n:], from, until)
		if err == errGone {
			continue // Release replaced the view before it dropped the file
		}
		if err != nil || got == 0 {
			return l.finishRead(n, err)
		}
		n += got
		from = next
	}
	return l.finishRead(n, nil)
}

// finishRead drops an error that came after bytes: the next read meets it again.
func (l *Log) finishRead(n int, err error) (int, error) {
	l.metrics.readBytes.Add(float64(n))
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func (l *Log) below(n int, from kafka.Offset, v *view) (int, error) {
	return l.finishRead(n, fmt.Errorf("read at %d, local log start %d: %w",
		from, v.segs[0].base, ErrBelowLocalStart))
}

// findSegment gives the segment that from lies in, or is to be appended to, -1 below the first.
func findSegment(v *view, from kafka.Offset) int {
	last := len(v.segs) - 1
	if last >= 0 && v.segs[last].base <= from {
		return last
	}
	return sort.Search(len(v.segs), func(i int) bool { return v.segs[i].base > from }) - 1
}

// readSegment fills dst from one segment. next is the offset after what it filled.
func (l *Log) readSegment(
	s *hotSegment, dst []byte, from, until kafka.Offset,
) (n int, next kafka.Offset, err error) {
	size := s.size.Load()
	if size == 0 {
		return 0, from, nil
	}
	h, err := l.files.open(s)
	if err != nil {
		return 0, from, err
	}
	defer h.release()
	pos, ok := s.remembered(from)
	if !ok {
		if pos, err = l.seek(s, h, from, size); err != nil {
			return 0, from, err
		}
	}
	if pos >= size {
		return 0, from, nil
	}
	want := dst[:min(int64(len(dst)), size-pos)]
	got, err := h.ReadAt(want, pos)
	if got < len(want) {
		return 0, from, shortRead(s, pos, err)
	}
	n, next, need := wholeBatches(want, from, until)
	if n == 0 && need > 0 {
		return 0, from, l.needMore(h, s, pos, need, until)
	}
	if n > 0 {
		s.remember(next, pos+int64(n))
	}
	return n, next, nil
}

func shortRead(s *hotSegment, pos int64, err error) error {
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read segment %d at byte %d: %w: %w", s.base, pos, ErrCorrupt, err)
}

// wholeBatches walks headers: n bytes of whole batches that end at or below until, and the offset
// after them. Where not one fits, need is the size of the first, or of a header when not even that
// is there.
func wholeBatches(
	b []byte, from, until kafka.Offset,
) (n int, next kafka.Offset, need int) {
	next = from
	for {
		rest := b[n:]
		if len(rest) < record.HeaderSize {
			if n == 0 {
				need = record.HeaderSize
			}
			return n, next, need
		}
		size := frameSize(rest)
		end := lastOffset(rest) + 1
		if size == 0 || size > int64(len(rest)) || end > until {
			if n == 0 && end <= until {
				need = int(size)
			}
			return n, next, need
		}
		n += int(size)
		next = end
	}
}

// lastOffset of the batch that begins with b.
func lastOffset(b []byte) kafka.Offset {
	return frameBase(b) + kafka.Offset(record.Batch(b).LastOffsetDelta())
}

// needMore tells how large the buffer has to be for the batch at pos.
func (l *Log) needMore(h *handle, s *hotSegment, pos int64, need int, until kafka.Offset) error {
	if need == record.HeaderSize {
		var head [record.HeaderSize]byte
		if n, err := h.ReadAt(head[:], pos); n < len(head) {
			return shortRead(s, pos, err)
		}
		if lastOffset(head[:]) >= until {
			return nil
		}
		need = int(frameSize(head[:]))
	}
	if need == 0 {
		return fmt.Errorf("segment %d, byte %d is no batch: %w", s.base, pos, ErrCorrupt)
	}
	return &ShortBufferError{Need: need}
}

// seek finds the position of the batch that contains or follows from: the index's floor, then
// headers. A floor that lies behind is damage that no checksum showed.
func (l *Log) seek(s *hotSegment, h *handle, from kafka.Offset, size int64) (int64, error) {
	pos, err := l.floor(s, uint32(from-s.base))
	if err != nil {
		return 0, err
	}
	at, err := walkTo(h, pos, from, size)
	if err == nil {
		return at, nil
	}
	if !errors.Is(err, errTorn) {
		return 0, err
	}
	if err := l.rebuildIndex(s, err); err != nil {
		return 0, err
	}
	if pos, err = l.floor(s, uint32(from-s.base)); err != nil {
		return 0, err
	}
	if at, err = walkTo(h, pos, from, size); err != nil {
		return 0, scanError(s, err)
	}
	return at, nil
}

// walkTo finds the batch that contains from or follows it, beginning with one at or before it, or
// the segment's first. size when there is none, errTorn when pos is not the position of such a
// batch.
func walkTo(h *handle, pos int64, from kafka.Offset, size int64) (int64, error) {
	sc := newScanner(h, pos, size, false)
	defer sc.close()
	for {
		b, err := sc.next()
		switch {
		case err == io.EOF:
			return size, nil
		case err != nil:
			return 0, err
		case b.batch.BaseOffset() > from && b.pos == pos && pos > 0:
			return 0, fmt.Errorf("offset %d at byte %d is past %d: %w",
				b.batch.BaseOffset(), b.pos, from, errTorn)
		case b.next() > from:
			return b.pos, nil
		}
	}
}

// floor asks the index, which is made again when it turns out damaged. Where even that does not
// help, as on a full disk, the walk begins at the segment's start.
func (l *Log) floor(s *hotSegment, rel uint32) (int64, error) {
	return l.askIndex(s, func(x *index, io indexIO) (int64, error) { return x.floor(io, rel) })
}

func (l *Log) floorTime(s *hotSegment, ts kafka.Timestamp) (int64, error) {
	return l.askIndex(s, func(x *index, io indexIO) (int64, error) { return x.floorTime(io, ts) })
}

func (l *Log) askIndex(
	s *hotSegment, ask func(*index, indexIO) (int64, error),
) (int64, error) {
	pos, err := ask(&s.index, l.files.indexIO(s))
	if err == nil || err == errGone {
		return pos, err
	}
	if err := l.rebuildIndex(s, err); err != nil {
		return 0, err
	}
	if pos, err = ask(&s.index, l.files.indexIO(s)); err != nil {
		return 0, nil
	}
	return pos, nil
}

// rebuildIndex makes a segment's index again from its batch headers.
func (l *Log) rebuildIndex(s *hotSegment, cause error) error {
	l.rebuildMu.Lock()
	defer l.rebuildMu.Unlock()
	l.deps.Logger.Warn("index damaged, made again", "base_offset", s.base, "err", cause)
	l.metrics.indexRebuilds.Inc()
	h, err := l.files.open(s)
	if err != nil {
		return err
	}
	defer h.release()
	entries, err := l.indexBatches(s, h, s.size.Load())
	if err != nil {
		return err
	}
	s.index.replace(l.files.indexIO(s), entries)
	return nil
}

func (l *Log) indexBatches(s *hotSegment, h *handle, size int64) ([]indexEntry, error) {
	l.mu.Lock()
	interval := int64(l.cfg.IndexIntervalBytes)
	l.mu.Unlock()
	sc := newScanner(h, 0, size, false)
	defer sc.close()
	var out []indexEntry
	info, indexedAt := emptyInfo(s.base), int64(0)
	for {
		b, err := sc.next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, scanError(s, err)
		}
		if b.pos > indexedAt && b.pos-indexedAt >= interval {
			out = append(out, indexEntry{
				rel: uint32(b.batch.BaseOffset() - s.base), pos: uint32(b.pos),
				maxTimestamp: info.maxTimestamp,
			})
			indexedAt = b.pos
		}
		info.note(b.batch, b.size, 0)
	}
}
