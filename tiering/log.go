package tiering

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/segment"
)

// Log is a partition that this agent leads, as the Sealer sees it. Its methods touch memory and
// local disk only, are safe for concurrent use, and may be called until Remove has returned.
type Log interface {
	// TP is the partition and Topic its topic's name.
	TP() kafka.TopicPartition
	Topic() string
	// LeaderEpoch is the epoch in which this agent leads.
	LeaderEpoch() kafka.LeaderEpoch
	// Settings are the topic's effective settings.
	Settings() settings.Topic
	// Manifest is the partition's manifest, loaded.
	Manifest() Manifest

	// LogStartOffset is the first offset on either tier, LocalLogStartOffset the first on local disk.
	LogStartOffset() kafka.Offset
	LocalLogStartOffset() kafka.Offset
	// LastStableOffset is exclusive, at or below the high watermark; only what is below it is sealed.
	LastStableOffset() kafka.Offset
	// LogEndOffset is exclusive.
	LogEndOffset() kafka.Offset
	// SizeBytes is the size of the local segments, the active one included.
	SizeBytes() int64
	// Epochs is the history of leader epochs of the local records.
	Epochs() []kafka.EpochStart
	// AbortedIn lists the aborted transactions that intersect a range below the last stable offset.
	AbortedIn(r kafka.OffsetRange) ([]segment.AbortedTxn, error)
	// ProducersAt is the producer state as of the next offset of a rolled segment.
	ProducersAt(next kafka.Offset) ([]segment.ProducerState, error)

	// ActiveSince is when the active segment got its first record, by the wall clock; false when it
	// holds none.
	ActiveSince() (time.Time, bool)
	// ActiveNewest is the largest timestamp in the active segment; kafka.NoTimestamp when none has one.
	ActiveNewest() kafka.Timestamp
	// Rolled lists the rolled segments on local disk, oldest first.
	Rolled() []Rolled
	// OpenSegment pins a rolled segment's file, which stays readable until it is closed.
	OpenSegment(base kafka.Offset) (SegmentFile, error)
	// Roll closes the active segment if it holds records.
	Roll() (bool, error)
	// MaybeRoll does so if segment.ms says it is due.
	MaybeRoll(now time.Time) (bool, error)
	// Release deletes whole rolled segments that end at or below an offset.
	Release(below kafka.Offset) (segments int, bytes int64, err error)
	// SetLogStartOffset follows the manifest's log start offset; a lower one is ignored.
	SetLogStartOffset(o kafka.Offset) error
}

// Rolled describes a rolled segment on local disk.
type Rolled struct {
	BaseOffset, NextOffset kafka.Offset
	Bytes                  int64
	// MinTimestamp and MaxTimestamp are kafka.NoTimestamp when no record has one.
	MinTimestamp, MaxTimestamp kafka.Timestamp
	// RolledAt is when it was closed, FirstAppendAt when its first batch was appended.
	RolledAt, FirstAppendAt time.Time
	// Cleaned: offsets may be missing, since a cleaning wrote it.
	Cleaned bool
}

// Range is [BaseOffset, NextOffset).
func (r Rolled) Range() kafka.OffsetRange {
	return kafka.OffsetRange{Base: r.BaseOffset, Next: r.NextOffset}
}

// SegmentFile is a pinned segment file.
type SegmentFile interface {
	io.ReaderAt
	io.Closer
	// Size in bytes, which does not change.
	Size() int64
}

// Manifest is what the Sealer asks of a partition's manifest; *catalog.PartitionManifest implements
// it. It is safe for concurrent use.
type Manifest interface {
	// Head is the newest head known, without I/O; false when none was loaded, or when the outcome of
	// an edit is unknown: then it may be behind.
	Head() (manifest.Head, bool)
	// Load reads the head again.
	Load(ctx context.Context) (manifest.Head, error)
	// Edit swaps the head for what edit makes of it, on the newest head after a conflict. It returns
	// the new head, edit's own error, or objstore.ErrUnknownOutcome, after which a later Load or Edit
	// settles what happened.
	Edit(
		ctx context.Context, edit func(manifest.Head) (manifest.Head, error),
	) (manifest.Head, error)
	// DataBytes is the sum of DataBytes over the segments that end above the log start offset.
	DataBytes(ctx context.Context) (int64, error)
	// Entries gives the entries from the one that holds from, or follows it, in offset order.
	Entries(ctx context.Context, from kafka.Offset) iter.Seq2[manifest.Entry, error]
}

var _ Manifest = (*catalog.PartitionManifest)(nil)

// known is the newest head known, which may be behind after an edit with unknown outcome.
func known(m Manifest) manifest.Head {
	h, _ := m.Head()
	return h
}
