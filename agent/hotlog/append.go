package hotlog

import (
	"errors"
	"fmt"
	"math"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// txnEvent is a transaction that an append begins (ended false) or ends.
type txnEvent struct {
	producer    kafka.ProducerID
	first, last kafka.Offset
	ended       bool
	aborted     bool
}

// plan is an append that was checked and not yet written.
type plan struct {
	records      []byte
	base, next   kafka.Offset
	maxTimestamp kafka.Timestamp
	duplicate    bool
	span         batchSpan // where the duplicate landed
}

// Append writes one or more whole batches, validated by record.Batch.Validate, to the end of the
// log: base offset and leader epoch (and AppendTime) are patched into records in place, then
// records is written by one pwrite and not kept. After an error records may have been patched, and
// nothing of it is in the log.
//
// Errors: ErrFenced, ErrOutOfOrderSequence (as *SequenceError), ErrInvalidProducerEpoch,
// ErrInvalidTxnState, ErrNotVerified, ErrTxnCoordinatorFenced, ErrBatchTooLarge, record's errors for
// what is no batch; ErrDiskFull and ErrLocalDiskLimit, which pass; ErrFailed, ErrClosed.
func (l *Log) Append(
	records []byte, epoch kafka.LeaderEpoch, o AppendOptions,
) (Appended, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writableLocked(); err != nil {
		return Appended{}, err
	}
	if latest := l.epochs.latest(); epoch < latest {
		return Appended{}, fmt.Errorf("append in leader epoch %d, log has %d: %w",
			epoch, latest, ErrFenced)
	}
	out := Appended{AppendTime: kafka.NoTimestamp}
	if o.AppendTime > 0 {
		out.AppendTime = o.AppendTime
		if err := stamp(records, o.AppendTime); err != nil {
			return Appended{}, err
		}
	}
	nowMs := l.nowMs()
	p, err := l.planLocked(records, o, nowMs)
	if err != nil {
		l.metrics.refused.Inc()
		return Appended{}, err
	}
	out.LogStartOffset = l.LogStartOffset()
	if p.duplicate {
		l.metrics.duplicates.Inc()
		out.BaseOffset, out.NextOffset = p.span.baseOffset, p.span.lastOffset+1
		out.Duplicate = true
		out.MustFlush = out.NextOffset > l.FlushedOffset() && l.cfg.FlushMessages == 1
		return out, nil
	}
	if err := patch(records, p.base, epoch); err != nil {
		return Appended{}, err
	}
	if err := l.writeLocked(&p, nowMs); err != nil {
		return Appended{}, err
	}
	l.epochs.assign(epoch, p.base)
	l.applyLocked(&p, nowMs)
	out.BaseOffset, out.NextOffset = p.base, p.next
	out.MustFlush = l.afterAppendLocked(&p)
	return out, nil
}

// stamp sets the append time of every batch.
func stamp(records []byte, ts kafka.Timestamp) error {
	for rest := records; len(rest) > 0; {
		b, r, err := record.Next(rest)
		if err != nil {
			return err
		}
		b.SetAppendTime(ts)
		rest = r
	}
	return nil
}

// patch gives every batch its base offset and leader epoch, both outside the CRC.
func patch(records []byte, next kafka.Offset, epoch kafka.LeaderEpoch) error {
	for rest := records; len(rest) > 0; {
		b, r, err := record.Next(rest)
		if err != nil {
			return err
		}
		b.SetBaseOffset(next)
		b.SetLeaderEpoch(epoch)
		next += kafka.Offset(b.LastOffsetDelta()) + 1
		rest = r
	}
	return nil
}

// planLocked checks the batches and stages what they change in the producer state.
func (l *Log) planLocked(records []byte, o AppendOptions, nowMs int64) (plan, error) {
	end := l.LogEndOffset()
	p := plan{records: records, base: end, next: end, maxTimestamp: kafka.NoTimestamp}
	if int64(len(records)) > l.cfg.SegmentBytes {
		return p, fmt.Errorf("%d bytes, segment.bytes %d: %w",
			len(records), l.cfg.SegmentBytes, ErrBatchTooLarge)
	}
	if len(records) == 0 {
		return p, fmt.Errorf("append of nothing: %w", record.ErrTruncated)
	}
	l.producers.begin()
	l.staged = l.staged[:0]
	for rest := records; len(rest) > 0; {
		b, r, err := record.Next(rest)
		if err != nil {
			return p, err
		}
		if b.LastOffsetDelta() < 0 || int64(p.next) > math.MaxInt64-math.MaxInt32-1 {
			return p, fmt.Errorf("offsets of the batch: %w", record.ErrCorrupt)
		}
		if b.ProducerID() != kafka.NoProducerID {
			p.span, p.duplicate, err = l.stageLocked(b, o, p.next, nowMs)
			if p.duplicate || err != nil {
				return p, err
			}
		}
		p.maxTimestamp = max(p.maxTimestamp, b.MaxTimestamp())
		p.next += kafka.Offset(b.LastOffsetDelta()) + 1
		rest = r
	}
	return p, nil
}

// stageLocked checks a producer's batch that would begin at base, and stages it.
func (l *Log) stageLocked(
	b record.Batch, o AppendOptions, base kafka.Offset, nowMs int64,
) (span batchSpan, duplicate bool, err error) {
	p := l.producers.staged(b.ProducerID())
	if b.IsControl() {
		m, err := parseMarker(b)
		if err != nil {
			return span, false, err
		}
		err = p.checkMarker(b.ProducerEpoch(), m.coordinatorEpoch, o.TransactionVersion)
		if err != nil {
			return span, false, err
		}
		l.stageMarkerLocked(p, b, m, base, nowMs)
		return span, false, nil
	}
	if !o.Coordinator { // which writes without sequence numbers
		if span, duplicate = p.duplicateOf(b); duplicate {
			return span, true, nil
		}
	}
	if b.IsTransactional() && o.Verified {
		if err := l.verifyLocked(p, b.ProducerEpoch(), o.Guard); err != nil {
			return span, false, err
		}
	}
	if o.Coordinator {
		err = p.checkEpoch(b.ProducerEpoch())
	} else if err = l.checkWaitingLocked(p, b); err == nil {
		err = p.check(b)
	}
	if err != nil {
		return span, false, err
	}
	l.stageDataLocked(p, b, base, nowMs)
	return span, false, nil
}

func (l *Log) stageDataLocked(p *producer, b record.Batch, base kafka.Offset, nowMs int64) {
	before := p.txnFirst
	p.add(b, base, nowMs)
	if p.txnFirst != before {
		l.staged = append(l.staged, txnEvent{producer: p.id, first: p.txnFirst})
	}
}

func (l *Log) stageMarkerLocked(
	p *producer, b record.Batch, m marker, base kafka.Offset, nowMs int64,
) {
	first, open := p.endTxn(b.ProducerEpoch(), m.coordinatorEpoch, b.MaxTimestamp(), nowMs)
	if open {
		l.staged = append(l.staged, txnEvent{
			producer: p.id, first: first, last: base, ended: true, aborted: m.abort,
		})
	}
}

// writeLocked rolls if it must and writes the records to the active segment's end. After an error
// the file is as it was, or the log has failed.
func (l *Log) writeLocked(p *plan, nowMs int64) error {
	if l.shouldRollLocked(p, nowMs) {
		if err := l.rollLocked(nowMs); err != nil {
			return err
		}
	}
	active := l.view.Load().active()
	if !active.created {
		if err := l.createFirstLocked(active); err != nil {
			return classify(err)
		}
	}
	n := int64(len(p.records))
	if !l.deps.Budget.reserve(n) {
		l.metrics.refused.Inc()
		return ErrLocalDiskLimit
	}
	h, err := l.files.open(active)
	if err != nil {
		l.deps.Budget.add(-n)
		return classify(err)
	}
	defer h.release()
	if _, err := h.WriteAt(p.records, active.info.bytes); err != nil {
		l.deps.Budget.add(-n)
		return l.undoLocked(h, active, err)
	}
	return nil
}

// createFirstLocked makes the files of a log that held none: the segment, and the producer state it
// begins with, from which a truncation replays.
func (l *Log) createFirstLocked(active *hotSegment) error {
	if err := l.files.create(active); err != nil {
		return err
	}
	l.marks.dirChanged = true
	if len(l.producers.byID) == 0 {
		return nil
	}
	return l.writeSnapshotLocked(active.base, false)
}

func (l *Log) writeSnapshotLocked(at kafka.Offset, durable bool) error {
	name := l.files.snapshotPath(at)
	return vfs.WriteFileAtomic(l.files.fs, name, encodeSnapshot(l.producers.all()), durable)
}

// undoLocked cuts the active segment back to its end before a write that failed.
func (l *Log) undoLocked(h *handle, active *hotSegment, cause error) error {
	l.metrics.writeErrors.Inc()
	if err := h.Truncate(active.info.bytes); err != nil {
		return l.failLocked(fmt.Errorf("cut back after a failed write (%w): %w", cause, err))
	}
	return classify(fmt.Errorf("append: %w", cause))
}

// classify turns a full disk into the error that callers know.
func classify(err error) error {
	if errors.Is(err, vfs.ErrDiskFull) {
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	return err
}

// applyLocked makes a written append part of the log's state, visible last.
func (l *Log) applyLocked(p *plan, nowMs int64) {
	active := l.view.Load().active()
	for rest := p.records; len(rest) > 0; {
		b, r, err := record.Next(rest)
		if err != nil {
			panic("hotlog: planned batch does not parse: " + err.Error())
		}
		l.noteLocked(active, b, int64(b.Size()), nowMs)
		l.verifiedLocked(b)
		rest = r
	}
	l.commitProducersLocked()
	active.size.Store(active.info.bytes)
	l.bytes.Add(int64(len(p.records)))
	l.end.Store(int64(p.next))
	l.marks.changed, l.marks.durableChanged = true, true
	l.metrics.appendBytes.Add(float64(len(p.records)))
}

// noteLocked takes in the batch at the end of a segment: summary and index.
func (l *Log) noteLocked(s *hotSegment, b record.Batch, size int64, nowMs int64) {
	l.indexIn(s, b, int64(l.cfg.IndexIntervalBytes))
	s.info.note(b, size, nowMs)
}

// noteIn is noteLocked for a segment that is not the log's yet.
func (l *Log) noteIn(s *hotSegment, b record.Batch, size int64, interval int64) {
	l.indexIn(s, b, interval)
	s.info.note(b, size, 0)
}

// indexIn gives the batch that comes next an index entry, where one is due.
func (l *Log) indexIn(s *hotSegment, b record.Batch, interval int64) {
	pos := s.info.bytes
	if pos > s.indexedAt && pos-s.indexedAt >= interval {
		l.addIndexEntry(s, indexEntry{
			rel: uint32(b.BaseOffset() - s.base), pos: uint32(pos),
			maxTimestamp: s.info.maxTimestamp,
		})
		s.indexedAt = pos
	}
}

func (l *Log) addIndexEntry(s *hotSegment, e indexEntry) {
	for !s.index.push(e) {
		s.index.spillFull(l.files.indexIO(s))
	}
}

// commitProducersLocked makes the staged producer and transaction state the log's.
func (l *Log) commitProducersLocked() {
	l.producers.commit()
	if len(l.staged) == 0 {
		return
	}
	for _, e := range l.staged {
		if e.ended {
			l.txns.end(e.producer, e.first, e.last, e.aborted)
		} else {
			l.txns.begin(e.producer, e.first)
		}
	}
	l.staged = l.staged[:0]
	l.publishStableLocked()
}

func (l *Log) publishStableLocked() {
	l.undecide.Store(int64(l.txns.undecided(math.MaxInt64)))
}

// afterAppendLocked asks for what an append makes due behind it, and reports whether its ack has to
// wait for a sync.
func (l *Log) afterAppendLocked(p *plan) (mustFlush bool) {
	l.marks.unflushed += int64(p.next - p.base)
	l.marks.sinceFast += int64(len(p.records))
	switch {
	case l.marks.unflushed >= l.cfg.FlushMessages:
		l.marks.unflushed = 0
		l.mustFlush.Store(int64(p.next))
		l.requestLocked(request{flush: true})
		mustFlush = true
	case l.cfg.FlushInterval > 0:
		l.armFlushLocked()
	}
	if l.marks.sinceFast >= l.cfg.CheckpointBytes {
		l.marks.sinceFast = 0
		l.requestLocked(request{fast: true})
	}
	return mustFlush
}
