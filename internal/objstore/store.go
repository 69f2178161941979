package objstore

import (
	"context"
	"io"
	"time"
)

// Store is a flat namespace of immutable-by-convention objects with compare-and-set on PUT.
//
// Keys are relative to the prefix of the URL the store was opened with, use '/' and never begin
// with one. All methods return an error that wraps one of the sentinels of errors.go where its
// meaning fits; other errors are transient or a broken set-up and name the key and the operation.
type Store interface {
	// Put writes the whole object or nothing. Body is read at most once per attempt and never
	// copied whole into memory. With a condition, a write that surely did not happen because the
	// condition failed is ErrConflict; one that may have happened is ErrUnknownOutcome.
	Put(ctx context.Context, key string, body Body, cond Condition) (Info, error)

	// Get opens bytes [r.Offset, r.Offset+r.Length) of an object, or all of it for the zero Range.
	// A range that ends past the object's end is shortened; one that starts at or past it is
	// ErrInvalidRange. The caller closes the reader. A body that ends early yields
	// io.ErrUnexpectedEOF, never a silent short read.
	Get(ctx context.Context, key string, r Range) (io.ReadCloser, Info, error)

	// Head tells an object's size, ETag, checksum where the store keeps one, and time.
	Head(ctx context.Context, key string) (Info, error)

	// List returns keys with the prefix that sort after the key `after` (exclusive; empty = from the
	// start), in byte order, at most limit of them (1..1000). More says that others follow.
	List(ctx context.Context, prefix, after string, limit int) (Page, error)

	// Delete removes an object; removing what is absent is not an error.
	Delete(ctx context.Context, key string) error

	// URL is what the store was opened with, without credentials, for people and logs.
	URL() string

	// Close releases connections and files. Objects stay.
	Close() error
}

// Body is what Put uploads. It must give the same bytes each time, since SDKs retry and sign.
type Body struct {
	Reader io.ReaderAt
	Size   int64
	// CRC32C is the Castagnoli checksum of all bytes, computed by the caller once; HasCRC32C tells
	// that it is set. Stores that can verify it on upload do.
	CRC32C    uint32
	HasCRC32C bool
}

// Condition restricts a Put. The zero value always writes.
type Condition struct {
	// IfAbsent writes only when the key does not exist (If-None-Match: *).
	IfAbsent bool
	// IfMatch, when not empty, writes only over an object with this ETag.
	IfMatch string
}

// Range of bytes. The zero value means the whole object; Length 0 with an Offset means to the end.
// A negative Offset -n with Length 0 means the last n bytes.
type Range struct {
	Offset int64
	Length int64
}

// Info describes an object.
type Info struct {
	Key          string
	Size         int64
	ETag         string
	LastModified time.Time // by the store's clock; zero where a call does not learn it
	CRC32C       uint32    // of the whole object
	HasCRC32C    bool
}

// Page is one page of a listing.
type Page struct {
	Objects []Info // Key, Size, LastModified are set; ETag may be
	More    bool
}
