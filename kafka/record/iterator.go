package record

import (
	"encoding/binary"
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// Record is one record of a batch. Its bytes alias the batch or the iterator's buffer, and Headers is
// reused: all of it is good until the next call of Next or Close.
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
func (it *Iterator) Next() bool {
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
	if err := it.parse(); err != nil {
		it.err = err
		return false
	}
	return true
}

// Record is the record that Next moved to.
func (it *Iterator) Record() Record { return it.record }

// Err is what ended the walk early, wrapping ErrCorrupt or ErrTooLarge; nil at the true end.
func (it *Iterator) Err() error { return it.err }

// Close gives the inflated bytes back. The iterator can be reset afterwards.
func (it *Iterator) Close() {
	if it.pooled != nil {
		it.pooled.free()
		it.pooled = nil
	}
	it.rest, it.left, it.record = nil, 0, Record{Headers: it.record.Headers[:0]}
}

// parse reads one record: length, attributes, timestamp delta, offset delta, key, value, headers.
func (it *Iterator) parse() error {
	c := cursor{b: it.rest}
	size := c.varint()
	if c.bad || size < 0 || size > int64(len(c.b)) {
		return fmt.Errorf("%w: record of %d bytes, %d are left", ErrCorrupt, size, len(c.b))
	}
	it.rest = c.b[size:]
	c.b = c.b[:size]
	c.take(1) // attributes, none defined
	timeDelta, offsetDelta := c.varint(), c.varint()
	key, value := c.bytes(), c.bytes()
	headers := c.headers(it.record.Headers[:0])
	if c.bad || len(c.b) > 0 {
		return fmt.Errorf("%w: record of %d bytes is malformed", ErrCorrupt, size)
	}
	if offsetDelta <= it.prev || offsetDelta > int64(it.lastDelta) {
		return fmt.Errorf("%w: record's offset delta %d follows %d, the last is %d",
			ErrCorrupt, offsetDelta, it.prev, it.lastDelta)
	}
	it.prev = offsetDelta
	it.record = Record{
		Offset: it.base + kafka.Offset(offsetDelta), Timestamp: it.baseTime + kafka.Timestamp(timeDelta),
		Key: key, Value: value, Headers: headers,
	}
	if it.appendTime != kafka.NoTimestamp {
		it.record.Timestamp = it.appendTime
	}
	return nil
}

// ValidateRecords inflates a batch that Validate has passed and walks its records: each must be whole,
// the offset deltas must count 0, 1, 2, ... and there must be as many as the header says.
//
// Errors: ErrCorrupt, ErrTooLarge, ErrInvalid.
func (b Batch) ValidateRecords(l Limits) error {
	it := b.Records(l)
	defer it.Close()
	want := b.BaseOffset()
	for ; it.Next(); want++ {
		if it.record.Offset != want {
			return fmt.Errorf("%w: offset delta %d where %d belongs",
				ErrInvalid, it.record.Offset-b.BaseOffset(), want-b.BaseOffset())
		}
	}
	return it.Err()
}

// cursor reads fields off b; the first that is not there sets bad and all after it are zero.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int64) []byte {
	if c.bad || n < 0 || n > int64(len(c.b)) {
		c.bad = true
		return nil
	}
	got := c.b[:n:n]
	c.b = c.b[n:]
	return got
}

// varint reads a zigzag varint.
func (c *cursor) varint() int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 && !c.bad { // one byte, the usual case
		u := uint64(c.b[0])
		c.b = c.b[1:]
		return int64(u>>1) ^ -int64(u&1)
	}
	v, n := binary.Varint(c.b)
	if n <= 0 || c.bad {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// bytes reads a length and so many bytes; -1 is null.
func (c *cursor) bytes() []byte {
	n := c.varint()
	if n == -1 {
		return nil
	}
	return c.take(n)
}

func (c *cursor) headers(into []Header) []Header {
	n := c.varint()
	if c.bad || n < 0 || n > int64(len(c.b)) { // a header has 2 bytes at least
		c.bad = true
		return into
	}
	for range n {
		size := c.varint()
		key := c.take(size)
		value := c.bytes()
		if c.bad {
			return into
		}
		into = append(into, Header{Key: string(key), Value: value})
	}
	return into
}
