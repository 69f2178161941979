package checkpoint

import (
	"errors"
	"fmt"

	"github.com/varve-log/varve/kafka"
)

var (
	// ErrFenced: the edit comes from an incarnation or a leader epoch that a newer one has fenced. The
	// process must stop saving.
	ErrFenced = errors.New("checkpoint is fenced")
	// ErrInvalid: an edit's argument is out of its bounds.
	ErrInvalid = errors.New("invalid checkpoint")
	// ErrFull: the ledger has no room for another partition, or a partition is too large for its
	// parts.
	ErrFull = errors.New("checkpoint ledger is full")
	// ErrCorrupt: bytes or fields break an invariant of the format.
	ErrCorrupt = errors.New("checkpoint ledger is corrupt")
	// ErrFormat: a newer program wrote it.
	ErrFormat = errors.New("checkpoint ledger has a newer format")
)

// PartitionError says which partition of an edit was refused. It unwraps to the reason.
type PartitionError struct {
	TP  kafka.TopicPartition
	Err error
}

// Error implements error.
func (e *PartitionError) Error() string {
	return fmt.Sprintf("checkpoint of %s: %v", e.TP, e.Err)
}

// Unwrap gives the reason.
func (e *PartitionError) Unwrap() error { return e.Err }
