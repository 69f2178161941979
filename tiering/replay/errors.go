package replay

import (
	"errors"
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// What callers act on.
var (
	// ErrCorrupt: an object holds other bytes than its footer promises, or a broken footer.
	ErrCorrupt = errors.New("sealed segment is corrupt")
	// ErrMissing: the manifest names an object, or covers a range, that the bucket does not have.
	ErrMissing = errors.New("sealed segment is missing")
	// ErrClosed: the iterator was closed.
	ErrClosed = errors.New("replay is closed")
)

// CorruptError names what is corrupt. It wraps ErrCorrupt and the cause.
type CorruptError struct {
	Object   string            // key in the bucket
	Position int64             // first byte that cannot be trusted
	Offsets  kafka.OffsetRange // what cannot be read
	Err      error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("object %s is corrupt at byte %d, offsets %s cannot be read: %v; "+
		"restore the object from a copy", e.Object, e.Position, e.Offsets, e.Err)
}

// Unwrap gives ErrCorrupt and the cause.
func (e *CorruptError) Unwrap() []error { return []error{ErrCorrupt, e.Err} }

// MissingError names what is missing. It wraps ErrMissing.
type MissingError struct {
	Object  string            // key in the bucket; empty: the manifest itself has a gap
	Offsets kafka.OffsetRange // what cannot be read
}

func (e *MissingError) Error() string {
	if e.Object == "" {
		return fmt.Sprintf("manifest does not cover offsets %s: run `varve catalog fsck`", e.Offsets)
	}
	return fmt.Sprintf("object %s is missing, offsets %s cannot be read: "+
		"restore the object from a copy", e.Object, e.Offsets)
}

// Unwrap gives ErrMissing.
func (e *MissingError) Unwrap() error { return ErrMissing }
