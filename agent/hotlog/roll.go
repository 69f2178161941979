package hotlog

import (
	"fmt"
	"math"
	"time"

	"github.com/varve-log/varve/kafka"
)

// shouldRollLocked decides as Kafka's LogSegment.shouldRoll: by size, by the time between the first
// batch's timestamp and the append's (by the wall clock where the first has none), by a full index,
// and where offsets no longer fit an index entry.
func (l *Log) shouldRollLocked(p *plan, nowMs int64) bool {
	info := &l.view.Load().active().info
	if info.bytes == 0 {
		return false
	}
	switch {
	case info.bytes > l.cfg.SegmentBytes-int64(len(p.records)):
		return true
	case l.waitedMs(info, p.maxTimestamp, nowMs) > (l.cfg.SegmentAge - l.jitter).Milliseconds():
		return true
	case l.view.Load().active().index.len() >= l.cfg.IndexEntriesMax:
		return true
	}
	return int64(p.next-1-info.base) > math.MaxInt32
}

func (l *Log) waitedMs(info *segmentInfo, maxTimestamp kafka.Timestamp, nowMs int64) int64 {
	if info.firstTimestamp >= 0 {
		return int64(maxTimestamp - info.firstTimestamp)
	}
	return nowMs - info.firstAppendMs
}

// Roll closes the active segment, if it holds records, and begins a new one. Rolled lists the
// closed one once it is synced.
func (l *Log) Roll() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rollIfHoldsLocked()
}

func (l *Log) rollIfHoldsLocked() (bool, error) {
	if err := l.writableLocked(); err != nil {
		return false, err
	}
	if l.view.Load().active().info.bytes == 0 {
		return false, nil
	}
	if err := l.rollLocked(l.nowMs()); err != nil {
		return false, err
	}
	return true, nil
}

// MaybeRoll rolls the active segment when its first append is older than SegmentAge by the wall
// clock, whatever timestamps its records have.
func (l *Log) MaybeRoll(now time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info := &l.view.Load().active().info
	if info.bytes == 0 || now.UnixMilli()-info.firstAppendMs <= l.cfg.SegmentAge.Milliseconds() {
		return false, nil
	}
	return l.rollIfHoldsLocked()
}

// rollLocked begins a new active segment. What makes the old one durable happens behind the append.
func (l *Log) rollLocked(nowMs int64) error {
	v := l.view.Load()
	old := v.active()
	next := newSegment(emptyInfo(l.LogEndOffset()))
	if err := l.files.create(next); err != nil {
		return classify(fmt.Errorf("roll: %w", err))
	}
	l.expireProducersLocked(nowMs)
	old.info.rolledMs = nowMs
	old.snapshot = encodeSnapshot(l.producers.all())
	segs := make([]*hotSegment, 0, len(v.segs)+1)
	l.view.Store(&view{segs: append(append(segs, v.segs...), next)})
	l.marks.dirChanged = true
	l.marks.changed, l.marks.durableChanged = true, true
	l.drawJitterLocked()
	l.metrics.rolls.Inc()
	l.requestLocked(request{rolled: true})
	return nil
}

// expireEvery is how often producers are looked through for expired ones.
const expireEvery = time.Minute

func (l *Log) expireProducersLocked(nowMs int64) {
	if nowMs < l.expireAt {
		return
	}
	l.expireAt = nowMs + expireEvery.Milliseconds()
	before := nowMs - l.cfg.ProducerIDExpiration.Milliseconds()
	l.expireVerificationsLocked(before)
	n := l.producers.expire(before)
	l.metrics.producersExpired.Add(float64(n))
}
