package partition

import (
	"time"

	"github.com/varve-log/varve/agent/checkpointer"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka"
)

// savable is the face of a Partition that the checkpointer works on.
type savable struct {
	*hotlog.Log
	p *Partition
}

var _ checkpointer.Log = savable{}

// Savable gives the partition to the checkpointer. Its manifest must have been loaded.
func (p *Partition) Savable() checkpointer.Log { return savable{p.log, p} }

// TP is the partition.
func (s savable) TP() kafka.TopicPartition { return s.p.tp }

// Topic is the topic's name.
func (s savable) Topic() string { return s.p.topic }

// LeaderEpoch is the epoch in which this agent leads.
func (s savable) LeaderEpoch() kafka.LeaderEpoch { return s.p.epoch }

// Compacted tells whether the topic is compacted.
func (s savable) Compacted() bool {
	t := s.p.Settings()
	return t.Compacts()
}

// SealedElsewhere tells whether a log that is not compacted any more needs its checkpoint no more.
func (s savable) SealedElsewhere(below kafka.Offset) bool {
	t := s.p.Settings()
	return !t.Seals() || s.p.VerifiedEnd() >= below
}

// DeleteRetention is delete.retention.ms.
func (s savable) DeleteRetention() time.Duration { return s.p.Settings().DeleteRetention }

// Manifest is the partition's archive.
func (s savable) Manifest() checkpointer.Manifest { return s.p.archive.PartitionManifest }

// StartOffset is where the local log begins.
func (s savable) StartOffset() kafka.Offset { return s.LocalLogStartOffset() }

// LastStableOffset is at or below the high watermark.
func (s savable) LastStableOffset() kafka.Offset { return s.p.LastStableOffset() }

// Stable is the state as of the last stable offset.
func (s savable) Stable() checkpointer.Stable {
	return checkpointer.Stable(s.Log.Stable(s.p.HighWatermark()))
}

// Cleaned tells what cleaning may have dropped. It never goes beyond the last stable offset.
func (s savable) Cleaned() (completeFrom, end kafka.Offset) {
	completeFrom, end = s.Cleaning()
	return completeFrom, min(end, s.LastStableOffset())
}
