package segment

import (
	"github.com/varve-log/varve/kafka"
)

// ID says whose segment it is.
type ID struct {
	Topic      kafka.TopicID
	Partition  int32
	BaseOffset kafka.Offset
	// LeaderEpoch is the epoch of the leader that sealed it.
	LeaderEpoch kafka.LeaderEpoch
}

// Meta describes a sealed segment.
type Meta struct {
	ID
	// NextOffset is exclusive.
	NextOffset kafka.Offset
	// Records counts records, without control records; Batches all record batches.
	Records int64
	Batches int64
	// MinTimestamp and MaxTimestamp bound the timestamps of the records, control records excluded.
	// MinTimestamp is kafka.NoTimestamp where it is not known: a record has no timestamp, or Seal
	// did not look; such a segment may hold any timestamp up to MaxTimestamp. MaxTimestamp is
	// kafka.NoTimestamp where no record has one.
	MinTimestamp kafka.Timestamp
	MaxTimestamp kafka.Timestamp
	// DataBytes is the size of the record batches, FooterBytes that of all that follows.
	DataBytes   int64
	FooterBytes int64
	// FormatVersion of the object.
	FormatVersion uint16
	// HasControl says that control batches are among the batches.
	HasControl bool
	// HasGaps says that offsets are missing, before, between or in batches.
	HasGaps bool
	// Epochs are the leader epochs of the records, the first covering the base offset.
	Epochs []kafka.EpochStart
	// Cluster is the id of the cluster that sealed it.
	Cluster string
}

// AbortedTxn is an aborted transaction: its records lie in [FirstOffset, LastOffset], where
// LastOffset is that of its abort marker.
type AbortedTxn struct {
	ProducerID  kafka.ProducerID
	FirstOffset kafka.Offset
	LastOffset  kafka.Offset
	// LastStableOffset is what it was when the marker was appended.
	LastStableOffset kafka.Offset
}

// ProducerState is what a leader remembers of an idempotent producer.
type ProducerState struct {
	ProducerID    kafka.ProducerID
	Epoch         int16
	LastSequence  int32 // kafka.NoSequence: none in this epoch
	LastOffset    kafka.Offset
	LastTimestamp kafka.Timestamp
	// Batches are the last ones, at most five, oldest first.
	Batches []ProducerBatch
	// CurrentTxnFirstOffset is kafka.NoOffset when no transaction is open.
	CurrentTxnFirstOffset kafka.Offset
	CoordinatorEpoch      int32
}

// ProducerBatch is one of a producer's last batches.
type ProducerBatch struct {
	FirstSequence, LastSequence int32
	BaseOffset, LastOffset      kafka.Offset
	Timestamp                   kafka.Timestamp
}

// producerBatchesMax is how many batches of a producer are kept, as in Kafka.
const producerBatchesMax = 5
