package checkpointer

import (
	"context"
	"time"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
)

// Log is a partition that this agent leads, as the Checkpointer sees it. Its methods touch memory
// and local disk only, are safe for concurrent use, and may be called until Remove has returned.
type Log interface {
	// TP is the partition and Topic its topic's name.
	TP() kafka.TopicPartition
	Topic() string
	// LeaderEpoch is the epoch in which this agent leads.
	LeaderEpoch() kafka.LeaderEpoch
	// Compacted tells whether the log is to be saved: its topic's cleanup.policy has compact.
	Compacted() bool
	// SealedElsewhere tells whether all below an offset is sealed and verified, or the topic is kept on
	// local disk only, so that a log that is not compacted any more needs no checkpoint.
	SealedElsewhere(below kafka.Offset) bool
	// DeleteRetention is how long tombstones outlive the compaction that met them first.
	DeleteRetention() time.Duration
	// Manifest is the partition's manifest, loaded.
	Manifest() Manifest

	// StartOffset is where the local log begins.
	StartOffset() kafka.Offset
	// LastStableOffset is exclusive, at or below the high watermark.
	LastStableOffset() kafka.Offset
	// Stable is the state as of the last stable offset.
	Stable() Stable
	// Cleaned tells from which offset on no tombstone was ever dropped by cleaning, and below which
	// offset a record may have gone in favour of a later one.
	Cleaned() (completeFrom, end kafka.Offset)
	// SizeBytes is the size of the local log, BytesFrom about that of what is at and above an offset.
	SizeBytes() int64
	BytesFrom(o kafka.Offset) int64
	// AbortedIn lists the aborted transactions that intersect a range below the last stable offset.
	AbortedIn(r kafka.OffsetRange) []segment.AbortedTxn
	// Read fills dst with whole batches from the first one that ends above from; see hotlog.Log.Read.
	Read(dst []byte, from, until kafka.Offset) (int, error)
}

// Stable is what a log knows of itself at its last stable offset.
type Stable struct {
	// EndOffset is that offset.
	EndOffset kafka.Offset
	// Producers are those that have no open transaction below EndOffset, as of there.
	Producers []segment.ProducerState
	// Epochs are the leader epochs of the records below.
	Epochs []kafka.EpochStart
}

// Manifest is what the Checkpointer asks of a partition's manifest.
type Manifest interface {
	// Head is the newest head known, without I/O; false when none is, or it may be behind.
	Head() (manifest.Head, bool)
	// Load reads the head again.
	Load(ctx context.Context) (manifest.Head, error)
	// Edit swaps the head for what edit makes of it; see catalog.PartitionManifest.
	Edit(
		ctx context.Context, edit func(manifest.Head) (manifest.Head, error),
	) (manifest.Head, error)
}

var _ Manifest = (*catalog.PartitionManifest)(nil)
