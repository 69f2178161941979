package hotlog

import (
	"io"
	"log/slog"
	"time"

	"github.com/varve-log/varve/kafka"
)

// Deps are the parts a log is made of. Files is required; the others have defaults.
type Deps struct {
	// Files bounds open files over all logs.
	Files *FileSet
	// Budget bounds bytes on disk over all logs; nil bounds nothing.
	Budget *Budget
	// Logger gets what an operator would want to know, with topic and partition already attached.
	Logger *slog.Logger
	// Metrics counts over all logs; nil counts nowhere.
	Metrics *Metrics
	// Now is the wall clock.
	Now func() time.Time
	// BootID names the running boot of this machine (/proc/sys/kernel/random/boot_id). While it is
	// the same, what a killed process had written is still there, so recovery starts at the newest
	// checkpoint; otherwise, or when it is empty, at the newest one that was synced.
	BootID string
	// OnFailure is called once, on its own goroutine, when the log becomes ErrFailed; may be nil.
	OnFailure func(error)
}

// AppendOptions says how a leader's append is done.
type AppendOptions struct {
	// AppendTime, unless kafka.NoTimestamp, replaces the batches' timestamps
	// (message.timestamp.type=LogAppendTime); it changes bytes under the CRC, which is recomputed.
	AppendTime kafka.Timestamp
	// Coordinator says that a coordinator writes on behalf of producers: data batches have no sequence
	// numbers, so that only the producer's epoch is checked, as for Kafka's AppendOrigin.COORDINATOR.
	Coordinator bool
	// Verified says that a transactional batch must continue a transaction or show the Guard that
	// BeginVerification gave.
	Verified bool
	Guard    Guard
	// TransactionVersion is that of a marker (KIP-890): from 2 on its epoch is above that of the
	// transaction it ends.
	TransactionVersion int16
}

// Appended is where an append landed.
type Appended struct {
	// BaseOffset and NextOffset bound the records: [BaseOffset, NextOffset). Of a duplicate, where
	// it landed the first time.
	BaseOffset, NextOffset kafka.Offset
	// AppendTime is what readers will see as timestamp, or kafka.NoTimestamp for CreateTime.
	AppendTime kafka.Timestamp
	// LogStartOffset as of the append.
	LogStartOffset kafka.Offset
	// Duplicate says that nothing was written, since the same batch is among the producer's last
	// five.
	Duplicate bool
	// MustFlush says that flush.messages was reached: ack only once OnFlushed(NextOffset) calls.
	MustFlush bool
}

// RolledSegment describes a closed segment whose bytes, index and producer snapshot are synced.
type RolledSegment struct {
	BaseOffset, NextOffset kafka.Offset
	Bytes                  int64
	// MinTimestamp and MaxTimestamp over the batch headers; kafka.NoTimestamp when none has one.
	MinTimestamp, MaxTimestamp kafka.Timestamp
	// RolledAt is when it was closed, FirstAppendAt when its first batch was appended.
	RolledAt, FirstAppendAt time.Time
	// Cleaned: offsets may be missing, since a cleaning wrote it.
	Cleaned bool
}

// SegmentFile is a pinned segment: it stays readable, after Release too, until Close.
type SegmentFile interface {
	io.ReaderAt
	io.Closer
	// Size in bytes, which does not change.
	Size() int64
}
