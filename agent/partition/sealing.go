package partition

import (
	"time"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering"
)

// sealable is the face of a Partition that tiering works on.
type sealable struct {
	*hotlog.Log
	p *Partition
}

var _ tiering.Log = sealable{}

// Sealable gives the partition to tiering. Its manifest must have been loaded.
func (p *Partition) Sealable() tiering.Log { return sealable{p.log, p} }

// TP is the partition.
func (s sealable) TP() kafka.TopicPartition { return s.p.tp }

// Topic is the topic's name.
func (s sealable) Topic() string { return s.p.topic }

// LeaderEpoch is the epoch in which this agent leads.
func (s sealable) LeaderEpoch() kafka.LeaderEpoch { return s.p.epoch }

// Settings are the topic's effective settings.
func (s sealable) Settings() settings.Topic { return s.p.Settings() }

// Manifest is the partition's archive.
func (s sealable) Manifest() tiering.Manifest { return s.p.archive.PartitionManifest }

// LastStableOffset is at or below the high watermark (V5).
func (s sealable) LastStableOffset() kafka.Offset { return s.p.LastStableOffset() }

// AbortedIn lists the aborted transactions that intersect a range.
func (s sealable) AbortedIn(r kafka.OffsetRange) ([]segment.AbortedTxn, error) {
	return s.Log.AbortedIn(r), nil
}

// Rolled lists the rolled segments on local disk, oldest first.
func (s sealable) Rolled() []tiering.Rolled {
	segments := s.Log.Rolled()
	out := make([]tiering.Rolled, len(segments))
	for i, r := range segments {
		out[i] = tiering.Rolled(r)
	}
	return out
}

// OpenSegment pins a rolled segment's file.
func (s sealable) OpenSegment(base kafka.Offset) (tiering.SegmentFile, error) {
	return s.Log.OpenSegment(base)
}

// ActiveSince is when the active segment got its first record.
func (s sealable) ActiveSince() (time.Time, bool) { return s.Log.ActiveSince() }
