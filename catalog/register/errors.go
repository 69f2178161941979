package register

import (
	"errors"
	"fmt"

	"github.com/varve-log/varve/internal/objstore"
)

var (
	// ErrNotFound: the head was never created, or is gone.
	ErrNotFound = fmt.Errorf("head %w", objstore.ErrNotFound)
	// ErrConflict: the attempt surely lost to another writer; read again and decide anew.
	ErrConflict = fmt.Errorf("head %w", objstore.ErrConflict)
	// ErrUnknownOutcome: the attempt may have been written or may still land. The error is an
	// *UnknownError, whose Attempt goes into Settle.
	ErrUnknownOutcome = fmt.Errorf("head %w", objstore.ErrUnknownOutcome)
	// ErrCorrupt: the object is not a head.
	ErrCorrupt = errors.New("head is corrupt")
	// ErrFormat: the head needs a newer version of this program, to read or to write it.
	ErrFormat = errors.New("head has a newer format")
	// ErrTooLarge: the body exceeds the register's bound.
	ErrTooLarge = errors.New("head is too large")
)

// UnknownError is an ErrUnknownOutcome with what Settle needs.
type UnknownError struct {
	// Attempt is the swap whose fate is open.
	Attempt Attempt
	// Err is why the outcome could not be learned.
	Err error
}

// Error names the head and the cause.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("swap %s to version %d: %v: %v",
		e.Attempt.key, e.Attempt.Version(), ErrUnknownOutcome, e.Err)
}

// Unwrap gives ErrUnknownOutcome and the cause.
func (e *UnknownError) Unwrap() []error { return []error{ErrUnknownOutcome, e.Err} }
