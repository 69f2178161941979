package tiering

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// expireStep applies retention.ms and retention.bytes over both tiers when it is due, as Kafka's
// tiered storage counts them: whole segments, oldest first; by bytes only while what stays is not
// less than the bound. Without delete in cleanup.policy nothing expires. With sealing turned off and
// remote.log.delete.on.disable set, what only the bucket has goes. It moves the log start offset;
// objects are swept later by compaction/gc.
func (s *Sealer) expireStep(ctx context.Context, p *part, st settings.Topic) error {
	now := s.now()
	if now.Before(p.retentionAt) {
		return nil
	}
	head := known(p.log.Manifest())
	to, err := s.expireTarget(ctx, p, st, now)
	if err == nil && to > head.LogStartOffset {
		err = s.moveLogStart(ctx, p, to)
	}
	if err != nil {
		return fmt.Errorf("apply retention: %w", err)
	}
	p.retentionAt = now.Add(s.cfg.RetentionInterval)
	return nil
}

func (s *Sealer) moveLogStart(ctx context.Context, p *part, to kafka.Offset) error {
	storeNow, err := s.clock(ctx)
	if err != nil {
		return err
	}
	epoch := p.log.LeaderEpoch()
	head, err := p.log.Manifest().Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		return h.MoveLogStart(to, epoch, storeNow)
	})
	if err != nil {
		return fmt.Errorf("move log start offset to %d: %w", to, err)
	}
	s.metrics.expirations.Inc()
	s.logger.Info("log start offset moved by retention", "topic", p.log.Topic(),
		"partition", p.tp.Partition, "log_start_offset", head.LogStartOffset)
	s.expired(p.tp)
	return nil
}

// retention is the settings that expireStep goes by: it is due when they change.
type retention struct {
	time            time.Duration
	bytes           int64
	deletes, remote bool
	deleteOnOff     bool
}

func retentionOf(st settings.Topic) retention {
	return retention{
		time: st.RetentionTime, bytes: st.RetentionBytes, deletes: st.Deletes(),
		remote: st.RemoteStorage, deleteOnOff: st.RemoteDeleteOnOff,
	}
}

// activeExpired tells that all that a local log has is beyond retention.ms, the active segment too,
// which is rolled then, as in Kafka. One without timestamps waits for segment.ms.
func activeExpired(l Log, st settings.Topic, now time.Time) bool {
	if st.Seals() || !st.Deletes() || st.RetentionTime < 0 {
		return false
	}
	newest := l.ActiveNewest()
	return newest != kafka.NoTimestamp && now.Sub(newest.Time()) > st.RetentionTime &&
		l.LastStableOffset() == l.LogEndOffset()
}

// expiresLocally tells that the oldest records that there are lie in a rolled segment that is not
// sealed and beyond retention.ms: no need to wait for the next regular look.
func expiresLocally(
	head manifest.Head, l Log, rolled []Rolled, st settings.Topic, now time.Time,
) bool {
	if st.Seals() || !st.Deletes() || st.RetentionTime < 0 {
		return false
	}
	for _, r := range rolled {
		if r.NextOffset > head.LogStartOffset {
			return r.BaseOffset <= head.LogStartOffset && r.NextOffset > head.SealedEnd() &&
				r.NextOffset <= l.LastStableOffset() && now.Sub(r.newest()) > st.RetentionTime
		}
	}
	return false
}

// newest is the largest timestamp, or when it was rolled.
func (r Rolled) newest() time.Time {
	if r.MaxTimestamp == kafka.NoTimestamp {
		return r.RolledAt
	}
	return r.MaxTimestamp.Time()
}

// expireTarget is where the log start offset should be.
func (s *Sealer) expireTarget(
	ctx context.Context, p *part, st settings.Topic, now time.Time,
) (kafka.Offset, error) {
	head := known(p.log.Manifest())
	target := head.LogStartOffset
	if !st.RemoteStorage && st.RemoteDeleteOnOff {
		target = max(target, min(head.SealedEnd(), p.log.LocalLogStartOffset()))
	}
	if !st.Deletes() { // a compacted log keeps the last record of each key, wherever it lies
		return target, nil
	}
	excess, err := s.excess(ctx, p.log, head, st)
	if err != nil {
		return 0, err
	}
	if excess <= 0 && !mayBeOld(head, p.log, st, now) {
		return target, nil
	}
	gone := func(next kafka.Offset, bytes int64, newest kafka.Timestamp) bool {
		old := st.RetentionTime >= 0 && newest != kafka.NoTimestamp &&
			now.Sub(newest.Time()) > st.RetentionTime
		if !old && excess < bytes {
			return false
		}
		excess -= bytes
		target = next
		return true
	}
	for e, err := range p.log.Manifest().Entries(ctx, head.LogStartOffset) {
		if err != nil {
			return 0, err
		}
		if e.NextOffset <= target {
			continue
		}
		if !gone(e.NextOffset, e.DataBytes, e.MaxTimestamp) {
			return target, nil
		}
	}
	if st.Seals() { // what is not sealed yet will be, before it expires
		return target, nil
	}
	stable := p.log.LastStableOffset()
	for _, r := range p.log.Rolled() {
		if r.NextOffset <= max(target, head.SealedEnd()) {
			continue
		}
		newest := kafka.TimestampOf(r.newest())
		if r.NextOffset > stable || !gone(r.NextOffset, r.Bytes, newest) {
			break
		}
	}
	return target, nil
}

// excess is by how many bytes both tiers together, no record counted twice, exceed retention.bytes.
func (s *Sealer) excess(
	ctx context.Context, l Log, head manifest.Head, st settings.Topic,
) (int64, error) {
	if st.RetentionBytes < 0 {
		return -1, nil
	}
	total, err := l.Manifest().DataBytes(ctx)
	if err != nil {
		return 0, err
	}
	total += l.SizeBytes()
	for _, r := range l.Rolled() {
		if r.NextOffset <= head.NextBase() {
			total -= r.Bytes
		}
	}
	return total - st.RetentionBytes, nil
}

// mayBeOld tells, without I/O, whether some segment may be beyond retention.ms: only then entries
// are looked at.
func mayBeOld(head manifest.Head, l Log, st settings.Topic, now time.Time) bool {
	if st.RetentionTime < 0 {
		return false
	}
	old := func(oldest kafka.Timestamp) bool {
		return oldest == kafka.NoTimestamp || now.Sub(oldest.Time()) > st.RetentionTime
	}
	for _, list := range [][]manifest.PageRef{head.Indexes, head.Pages} {
		for _, ref := range list {
			if ref.NextOffset > head.LogStartOffset {
				return old(ref.MinTimestamp)
			}
		}
	}
	for _, e := range head.Tail {
		if e.NextOffset > head.LogStartOffset {
			return old(e.MaxTimestamp)
		}
	}
	return !st.Seals() && len(l.Rolled()) > 0
}
