package segment

import "errors"

var (
	// ErrCorrupt: bytes break the format or fail a checksum.
	ErrCorrupt = errors.New("segment is corrupt")
	// ErrFormat: a newer program wrote the segment, and this one cannot read it rightly.
	ErrFormat = errors.New("segment has a newer format")
)
