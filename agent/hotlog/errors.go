package hotlog

import (
	"errors"
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// What callers act on. Every error of the package that is not a plain I/O error wraps one of these.
var (
	// ErrClosed: the log was closed; open it again.
	ErrClosed = errors.New("log is closed")
	// ErrFailed: a write could not be undone or a sync failed, so what the disk holds is not known.
	// The log takes no more appends until it is opened again, which recovers it. Reads go on.
	ErrFailed = errors.New("log failed, open it again to recover")
	// ErrFenced: the caller's leader epoch is below the log's; a newer leader has appended.
	ErrFenced = errors.New("leader epoch is below the log's")
	// ErrDiskFull: no room; nothing became visible; try again once there is room.
	ErrDiskFull = errors.New("disk full")
	// ErrLocalDiskLimit: the budget of local disk is used up; nothing was written; try again once
	// sealed segments were released.
	ErrLocalDiskLimit = errors.New("local disk limit reached")
	// ErrCorrupt: the files contradict themselves or a batch fails its checksum.
	ErrCorrupt = errors.New("log is corrupt")
	// ErrBatchTooLarge: one append is larger than a segment may be.
	ErrBatchTooLarge = errors.New("append is larger than a segment")
	// ErrOutOfOrderSequence: an idempotent producer's batch leaves a gap, or repeats a batch older
	// than the last five.
	ErrOutOfOrderSequence = errors.New("out of order sequence number")
	// ErrInvalidProducerEpoch: a newer incarnation of the producer has written.
	ErrInvalidProducerEpoch = errors.New("producer epoch is below the current one")
	// ErrInvalidTxnState: a batch outside a transaction while the producer has one open.
	ErrInvalidTxnState = errors.New("batch is not transactional but a transaction is open")
	// ErrNotVerified: a batch would begin a transaction that its coordinator was not asked about, or
	// that has ended since.
	ErrNotVerified = errors.New("batch is not part of an ongoing transaction")
	// ErrTxnCoordinatorFenced: a marker of an older transaction coordinator.
	ErrTxnCoordinatorFenced = errors.New("transaction coordinator epoch is below the current one")
	// ErrOffsetOutOfRange: above the log end offset, or not in the log.
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrBelowLocalStart: the offset is no longer, or never was, on this disk; the bucket has it if
	// anyone has.
	ErrBelowLocalStart = errors.New("offset below the local log start")
	// ErrNoSegment: no rolled segment begins at this offset.
	ErrNoSegment = errors.New("no such segment")
)

// ShortBufferError says that the first batch does not fit into the reader's buffer.
type ShortBufferError struct {
	Need int // bytes of the batch at the offset asked for
}

func (e *ShortBufferError) Error() string {
	return fmt.Sprintf("batch of %d bytes does not fit the buffer", e.Need)
}

// SequenceError tells which sequence number an idempotent producer should have sent. It wraps
// ErrOutOfOrderSequence.
type SequenceError struct {
	ProducerID kafka.ProducerID
	Epoch      int16
	Got        int32 // first sequence of the batch
	Last       int32 // last sequence appended, kafka.NoSequence when none in this epoch
}

func (e *SequenceError) Error() string {
	return fmt.Sprintf("producer %d epoch %d: sequence %d does not follow %d",
		e.ProducerID, e.Epoch, e.Got, e.Last)
}

// Unwrap makes errors.Is(err, ErrOutOfOrderSequence) true.
func (e *SequenceError) Unwrap() error { return ErrOutOfOrderSequence }
