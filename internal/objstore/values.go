package objstore

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unicode/utf8"
)

// KeyBytesMax bounds a key together with the prefix of the store, as S3 does.
const KeyBytesMax = 1024

// ListLimitMax is the largest page that List gives.
const ListLimitMax = 1000

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC32C of b, as Body and Info carry it.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Bytes makes a Body of bytes in memory, with their checksum. The caller must not change b before
// the Put has returned.
func Bytes(b []byte) Body {
	return Body{
		Reader: bytes.NewReader(b), Size: int64(len(b)), CRC32C: Checksum(b), HasCRC32C: true,
	}
}

// ReadAll gets a whole object that is known to be small. An object of more than sizeMax bytes is an
// error, not an allocation. Where the store tells a checksum the bytes are held against it, and a
// difference is ErrChecksum.
func ReadAll(ctx context.Context, s Store, key string, sizeMax int64) ([]byte, Info, error) {
	r, info, err := s.Get(ctx, key, Range{})
	if err != nil {
		return nil, Info{}, err
	}
	defer func() { _ = r.Close() }()
	if info.Size > sizeMax {
		return nil, info, fmt.Errorf("read %s: %d bytes, expected at most %d", key, info.Size, sizeMax)
	}
	b := make([]byte, info.Size)
	if _, err := io.ReadFull(r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, info, fmt.Errorf("read %s: %w", key, err)
	}
	if info.HasCRC32C && Checksum(b) != info.CRC32C {
		return nil, info, fmt.Errorf("read %s: %w", key, ErrChecksum)
	}
	return b, info, nil
}

// Check refuses a Condition that asks for two things at once.
func (c Condition) Check() error {
	if c.IfAbsent && c.IfMatch != "" {
		return fmt.Errorf("a put cannot ask for both if-absent and if-match %q", c.IfMatch)
	}
	return nil
}

// Always tells that the Put writes whatever is there.
func (c Condition) Always() bool { return !c.IfAbsent && c.IfMatch == "" }

// Resolve turns a Range into the bytes [offset, offset+length) of an object of that size.
// ErrInvalidRange when none of them exist, except for the zero Range, which an empty object
// satisfies.
func (r Range) Resolve(size int64) (offset, length int64, err error) {
	switch {
	case r == Range{}:
		return 0, size, nil
	case r.Length < 0, r.Offset < 0 && r.Length != 0:
		return 0, 0, fmt.Errorf("%w: offset %d, length %d", ErrInvalidRange, r.Offset, r.Length)
	case r.Offset < 0:
		offset = max(0, size+r.Offset)
	default:
		offset = r.Offset
	}
	if offset >= size {
		return 0, 0, fmt.Errorf("%w: offset %d of %d bytes", ErrInvalidRange, r.Offset, size)
	}
	length = size - offset
	if r.Length > 0 {
		length = min(length, r.Length)
	}
	return offset, length, nil
}

// Header is the Range as the HTTP header of that name; empty for the whole object.
func (r Range) Header() string {
	switch {
	case r == Range{}:
		return ""
	case r.Offset < 0:
		return fmt.Sprintf("bytes=%d", r.Offset)
	case r.Length == 0:
		return fmt.Sprintf("bytes=%d-", r.Offset)
	default:
		return fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1)
	}
}

// CheckKey refuses, as ErrInvalidKey, keys that some store would change, hide or let escape: empty,
// longer than KeyBytesMax, not UTF-8, with control characters or backslashes, with an empty, "." or
// ".." component (so also with a slash at either end).
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidKey)
	case len(key) > KeyBytesMax:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrInvalidKey, len(key), KeyBytesMax)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool {
		return r < 0x20 || r == 0x7f || r == '\\'
	}):
		return fmt.Errorf("%w: %q holds a control character, a backslash or broken UTF-8",
			ErrInvalidKey, key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%w: %q holds an empty, \".\" or \"..\" component", ErrInvalidKey, key)
		}
	}
	return nil
}

// ListLimit brings a caller's limit into 1..ListLimitMax; 0 or less asks for the largest page.
func ListLimit(limit int) int {
	if limit <= 0 || limit > ListLimitMax {
		return ListLimitMax
	}
	return limit
}
