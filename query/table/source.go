package table

import (
	"context"
	"iter"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// Topic is a topic as queries see it.
type Topic struct {
	Name        string
	ID          kafka.TopicID
	Partitions  int32 // numbered from 0
	ValueFormat ValueFormat
}

// Segment is one sealed segment of a partition, or, when Count is above 1, a run of neighbouring
// ones that the source summarizes because the bounds it was given exclude all of them.
type Segment struct {
	Offsets kafka.OffsetRange
	// MinTimestamp and MaxTimestamp bound the records' timestamps, both inclusive. Both are
	// kafka.NoTimestamp when no record has one.
	MinTimestamp, MaxTimestamp kafka.Timestamp
	// Bytes is the size of the object or objects.
	Bytes int64
	// Records counts data records; -1 when it is not known.
	Records int64
	// Count is the number of segments this value stands for, at least 1.
	Count int64
}

// BatchReader pulls the record batches of one range of one partition, in offset order, control
// batches included. It holds a bounded read-ahead.
type BatchReader interface {
	// Next returns the next batch, or io.EOF after the last one. The batch is valid until the
	// following call of Next or Close.
	Next(ctx context.Context) (record.Batch, error)
	// Close stops the read-ahead and waits for it. It may be called more than once.
	Close() error
}

// Traffic counts what a source asked of the bucket.
type Traffic struct {
	GETs     int64 `json:"gets"`
	GETBytes int64 `json:"get_bytes"`
}

// Source lists and reads the archived records of a bucket. Implementations are safe for
// concurrent use.
type Source interface {
	// Topics returns the names of all topics in ascending order.
	Topics(ctx context.Context) ([]string, error)
	// Topic finds one topic by its exact name; ErrUnknownTopic when there is none.
	Topic(ctx context.Context, name string) (Topic, error)
	// Segments yields the partition's segments in offset order from the log start offset on, to which
	// the first is cut. The bounds are a hint: a run of segments they exclude may come as one value.
	Segments(ctx context.Context, tp kafka.TopicPartition, b Bounds) iter.Seq2[Segment, error]
	// Batches reads the batches that hold records of the range. The first and the last batch may reach
	// beyond it. Nothing is asked of the bucket before the first Next.
	Batches(ctx context.Context, tp kafka.TopicPartition, r kafka.OffsetRange) (BatchReader, error)
	// Traffic returns what was asked of the bucket since the source was opened.
	Traffic() Traffic
}
