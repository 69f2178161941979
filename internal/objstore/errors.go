package objstore

import "errors"

// Classes of failure that callers act on.
var (
	// ErrNotFound: the object or the bucket does not exist.
	ErrNotFound = errors.New("object not found")
	// ErrConflict: a condition failed, this attempt's write did not happen (see the package comment
	// for what an SDK's retry makes of this).
	ErrConflict = errors.New("condition failed")
	// ErrUnknownOutcome: the write may have happened, or may still happen.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrInvalidRange: the range starts at or past the end of the object.
	ErrInvalidRange = errors.New("range not satisfiable")
	// ErrUnavailable: the store cannot be reached or answers that it is overloaded; try again later.
	// A conditional Put that ends so surely wrote nothing; any other write may have landed.
	ErrUnavailable = errors.New("store unavailable")
	// ErrChecksum: the store or the reader found other bytes than the checksum promised.
	ErrChecksum = errors.New("checksum mismatch")
	// ErrDenied: the store refused the credentials, or their rights do not reach this far.
	ErrDenied = errors.New("access denied")
	// ErrInvalidKey: the key is empty, too long, or would not mean the same in every store.
	ErrInvalidKey = errors.New("invalid object key")
	// ErrLyingStore: the start-up probe saw the store ignore a condition.
	ErrLyingStore = errors.New("store ignores conditional writes")
)
