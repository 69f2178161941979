package record

import "errors"

var (
	// ErrTruncated: the bytes end before the batch does.
	ErrTruncated = errors.New("record batch is cut short")
	// ErrCorrupt: the CRC or the structure is broken.
	ErrCorrupt = errors.New("record batch is corrupt")
	// ErrMagic: the batch has another format than v2.
	ErrMagic = errors.New("record batch has magic")
	// ErrInvalid: the batch is whole but says what a producer may not say.
	ErrInvalid = errors.New("record batch is invalid")
	// ErrTooLarge: the records inflate to more than the limit.
	ErrTooLarge = errors.New("record batch inflates beyond the limit")
)
