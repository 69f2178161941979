package readpath

import "errors"

var (
	// ErrOffsetOutOfRange: below the log start offset, or above the log end offset.
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrCorrupt: a sealed object does not hold what its footer promises. The error names it.
	ErrCorrupt = errors.New("sealed records are corrupt")
	// ErrMissing: offsets are neither on local disk nor in the bucket though the log covers them.
	ErrMissing = errors.New("sealed records are missing")
	// ErrClosed: the Reader is closed.
	ErrClosed = errors.New("read path is closed")
)
