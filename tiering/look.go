package tiering

import (
	"time"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// lagInterval is how soon to look again at a rolled segment that the last stable offset has not
// passed.
const lagInterval = 200 * time.Millisecond

// look rolls what is due by age and finds out whether a worker has to come. It touches memory and
// local disk only.
func (s *Sealer) look(p *part, now time.Time) view {
	l := p.log
	st := l.Settings()
	v := view{next: now.Add(s.cfg.ScanInterval)}
	s.rollDue(p, st, now, &v)

	head := known(l.Manifest())
	rolled := l.Rolled()
	if r := retentionOf(st); p.retained != r || expiresLocally(head, l, rolled, st, now) {
		p.retained, p.retentionAt = r, time.Time{}
	}
	v.work = head.LogStartOffset > l.LogStartOffset() ||
		releasable(l, head, st, now) > l.LocalLogStartOffset() || !now.Before(p.retentionAt)
	if p.retentionAt.After(now) && p.retentionAt.Before(v.next) {
		v.next = p.retentionAt
	}
	if !st.Seals() {
		return v
	}
	if since, ok := l.ActiveSince(); ok {
		v.oldest = since
	}
	s.backlog(head, rolled, &v)
	if head.VerifiedEnd < head.SealedEnd() {
		v.work = true
	}
	if r, ok := nextSegment(head, rolled); ok {
		if r.NextOffset <= l.LastStableOffset() {
			v.work = true
		} else if lag := now.Add(lagInterval); lag.Before(v.next) {
			v.next = lag
		}
	}
	return v
}

// rollDue rolls the active segment when segment.ms or, where the topic is sealed,
// varve.seal.max.age.ms says so, and tells when it will.
func (s *Sealer) rollDue(p *part, st settings.Topic, now time.Time, v *view) {
	_, err := p.log.MaybeRoll(now)
	since, holds := p.log.ActiveSince()
	age := st.SegmentAge
	if st.Seals() && st.SealAgeMax > 0 {
		age = min(age, st.SealAgeMax)
		if err == nil && holds && now.Sub(since) >= st.SealAgeMax {
			_, err = p.log.Roll()
		}
	}
	if err == nil && activeExpired(p.log, st, now) {
		_, err = p.log.Roll()
	}
	at := since.Add(age)
	if !holds {
		// Nobody tells of the first append after a roll: look again before it can be due.
		at = now.Add(max(age, lagInterval))
	}
	if err == nil && age > 0 && at.After(now) && at.Before(v.next) {
		v.next = at
	}
	if err != nil {
		s.logger.Warn("segment not rolled", "topic", p.log.Topic(), "partition", p.tp.Partition,
			"err", err)
	}
}

// backlog measures what is rolled and not sealed.
func (s *Sealer) backlog(head manifest.Head, rolled []Rolled, v *view) {
	from := head.NextBase()
	for _, r := range rolled {
		if r.NextOffset <= from {
			continue
		}
		v.backlogSegments++
		v.backlogBytes += r.Bytes
		if v.oldest.IsZero() || r.FirstAppendAt.Before(v.oldest) {
			v.oldest = r.FirstAppendAt
		}
	}
}

// nextSegment is the rolled segment that the sealed part goes on with. What lies wholly below the
// log start offset is not worth sealing.
func nextSegment(head manifest.Head, rolled []Rolled) (Rolled, bool) {
	from := head.NextBase()
	for _, r := range rolled {
		if r.NextOffset > from {
			return r, true
		}
	}
	return Rolled{}, false
}

// releasable is the offset below which local segments may go now: below the verified end and beyond
// local retention, or below the log start offset (V6).
func releasable(l Log, head manifest.Head, st settings.Topic, now time.Time) kafka.Offset {
	limit := head.LogStartOffset
	if st.RemoteStorage {
		limit = max(limit, head.VerifiedEnd)
	}
	size := l.SizeBytes()
	target := kafka.Offset(0)
	for _, r := range l.Rolled() {
		if r.NextOffset > limit {
			break
		}
		if r.NextOffset > head.LogStartOffset &&
			!beyond(r, size, st.LocalRetentionTime, st.LocalRetentionBytes, now) {
			break
		}
		size -= r.Bytes
		target = r.NextOffset
	}
	return target
}

// beyond tells whether the oldest segment of size bytes of log is beyond a retention, whose
// negative bounds mean none. A segment without timestamps is as old as its roll.
func beyond(r Rolled, size int64, age time.Duration, bytes int64, now time.Time) bool {
	if bytes >= 0 && size-bytes >= r.Bytes {
		return true
	}
	if age < 0 {
		return false
	}
	return now.Sub(r.newest()) > age
}
