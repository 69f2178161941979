package record

import (
	"encoding/binary"
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// Record is one record of a batch. Its bytes alias the batch or the iterator's buffer, and Headers
// is reused: all of it is good until the next call of Next or Close. Only the keys of headers are
// copies.
type Record struct {
	Offset    kafka.Offset
	Timestamp kafka.Timestamp
	Key       []byte // nil: null
	Value     []byte // nil: null
	Headers   []Header
}

// Header is a record header. A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}

// Iterator walks the records of one batch. Use: for it.Next() { it.Record() }; then Err and Close.
type Iterator struct {
	base       kafka.Offset
	baseTime   kafka.Timestamp
	appendTime kafka.Timestamp // kafka.NoTimestamp: records have their own
	lastDelta  int32

	rest   []byte
	left   int32
	prev   int64 // offset delta of the record before
	record Record
	err    error
	pooled *buffer
}

// Records begins to walk the batch's records, which inflates them. The caller owes a Close.
func (b Batch) Records(l Limits) *Iterator {
	it := &Iterator{}
	it.Reset(b, l)
	return it
}

// Reset begins to walk another batch with the memory of this iterator. The zero value can be reset.
func (it *Iterator) Reset(b Batch, l Limits) {
	it.err, it.prev = nil, -1
	it.base, it.baseTime, it.appendTime = b.BaseOffset(), b.BaseTimestamp(), kafka.NoTimestamp
	it.lastDelta, it.left = b.LastOffsetDelta(), b.Count()
	if b.TimestampType() == LogAppendTime {
		it.appendTime = b.MaxTimestamp()
	}
	it.rest = b[HeaderSize:]
	if b.Codec() == None {
		return
	}
	if it.pooled == nil {
		it.pooled = buffers.Get().(*buffer)
	}
	it.err = inflate(b.Codec(), it.rest, it.pooled, l)
	it.rest = it.pooled.b
}

// Next moves to the next record. False means the end, or an error that Err tells.
func (it *Iterator) Next() bool { return it.next(readAll) }

// NextKey is Next, but leaves the headers out.
func (it *Iterator) NextKey() bool { return it.next(readKey) }

// NextTime is Next, but reads only the record's offset and timestamp: its key, value and headers
// are skipped without a look, which makes a walk over large records cheap.
func (it *Iterator) NextTime() bool { return it.next(readTime) }

func (it *Iterator) next(d depth) bool {
	if it.err != nil {
		return false
	}
	if it.left <= 0 {
		if len(it.rest) > 0 {
			it.err = fmt.Errorf("%w: %d bytes after the last record", ErrCorrupt, len(it.rest))
		}
		return false
	}
	it.left--
	if err := it.parse(d); err != nil {
		it.err = err
		return false
	}
	return true
}

// Record is the record that Next or NextTime moved to.
func (it *Iterator) Record() Record { return it.record }

// Err is what ended the walk early, wrapping ErrCorrupt or ErrTooLarge; nil at the true end.
func (it *Iterator) Err() error { return it.err }

// Close gives the inflated bytes back. The iterator can be reset afterwards.
func (it *Iterator) Close() {
	if it.pooled != nil {
		it.pooled.free()
		it.pooled = nil
	}
	headers := it.record.Headers[:cap(it.record.Headers)]
	for i := range headers {
		headers[i].Value = nil // it keeps the batch in memory
	}
	it.rest, it.left, it.record = nil, 0, Record{Headers: headers[:0]}
}

// depth is how far into each record a walk looks.
type depth int8

const (
	readTime depth = iota // offset and timestamp
	readKey               // key and value, too
	readAll               // headers, too
)

// parse reads one record: length, attributes, timestamp delta, offset delta, key, value, headers,
// as far as is wanted.
func (it *Iterator) parse(d depth) error {
	size, at := varint(it.rest, 0)
	if at < 0 || size < 1 || size > int64(len(it.rest)-at) {
		return fmt.Errorf("%w: record of %d bytes, %d are left", ErrCorrupt, size, len(it.rest))
	}
	end := at + int(size)
	body := it.rest[at:end:end]
	it.rest = it.rest[end:]
	timeDelta, at := varint(body, 1) // after the attributes, of which none is defined
	offsetDelta, at := varint(body, at)
	r := &it.record
	r.Headers = r.Headers[:0]
	switch d {
	case readAll:
		at = it.content(body, at)
	case readKey:
		r.Key, at = field(body, at)
		r.Value, at = field(body, at)
	default:
		r.Key, r.Value = nil, nil
	}
	if at < 0 || d == readAll && at != len(body) {
		return fmt.Errorf("%w: record of %d bytes is malformed", ErrCorrupt, size)
	}
	if offsetDelta <= it.prev || offsetDelta > int64(it.lastDelta) {
		return fmt.Errorf("%w: record's offset delta %d follows %d, the last is %d",
			ErrCorrupt, offsetDelta, it.prev, it.lastDelta)
	}
	it.prev = offsetDelta
	r.Offset = it.base + kafka.Offset(offsetDelta)
	r.Timestamp = it.baseTime + kafka.Timestamp(timeDelta)
	if it.appendTime != kafka.NoTimestamp {
		r.Timestamp = it.appendTime
	}
	return nil
}

// content reads key, value and headers from body and gives the position after them, or -1.
func (it *Iterator) content(body []byte, at int) int {
	r := &it.record
	r.Key, at = field(body, at)
	r.Value, at = field(body, at)
	count, at := varint(body, at)
	if count != 0 {
		at = it.headers(body, at, count)
	}
	return at
}

// headers reads count headers from body and gives the position after them, or -1. The key of a
// header that equals the one in its place in the record before is not allocated again.
func (it *Iterator) headers(body []byte, at int, count int64) int {
	if at < 0 || count < 0 || count > int64(len(body)-at) { // each has two bytes at least
		return -1
	}
	into := it.record.Headers
	for i := range int(count) {
		var key []byte
		if key, at = field(body, at); key == nil {
			return -1
		}
		if i < cap(into) {
			into = into[:i+1]
		} else {
			into = append(into, Header{})
		}
		h := &into[i]
		if h.Key != string(key) {
			h.Key = string(key)
		}
		if h.Value, at = field(body, at); at < 0 {
			return -1
		}
	}
	it.record.Headers = into
	return at
}

// varint reads a zigzag varint of b and gives the position after it. A position of -1 says that
// there is none, and is passed on.
func varint(b []byte, at int) (v int64, next int) {
	if uint(at) < uint(len(b)) && b[at] < 0x80 { // one byte, the usual case
		u := uint64(b[at])
		return int64(u>>1) ^ -int64(u&1), at + 1
	}
	return longVarint(b, at)
}

func longVarint(b []byte, at int) (v int64, next int) {
	if uint(at) >= uint(len(b)) {
		return 0, -1
	}
	v, n := binary.Varint(b[at:])
	if n <= 0 {
		return 0, -1
	}
	return v, at + n
}

// field reads a length and so many bytes of b; -1 is null. It gives the position after it, or -1.
func field(b []byte, at int) (v []byte, next int) {
	n, at := varint(b, at)
	if at < 0 || n < -1 || n > int64(len(b)-at) {
		return nil, -1
	}
	if n == -1 {
		return nil, at
	}
	end := at + int(n)
	return b[at:end:end], end
}
