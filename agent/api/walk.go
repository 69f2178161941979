package api

import (
	"fmt"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// walk checks the records of an uncompressed batch as checkRecords does. record.Iterator would
// do, but builds every record; at 100 bytes a record that is most of what a produce costs.
type walk struct {
	recordRules
	base   kafka.Timestamp
	newest kafka.Timestamp // the largest timestamp
}

// check reads count records from b and tells the first thing that is wrong with their form.
func (w *walk) check(b []byte, count int32) fault {
	at := 0
	// Locals stay in registers.
	base, low, high, newest := w.base, w.low, w.high, kafka.NoTimestamp
	for i := range int64(count) {
		size, next := varint(b, at)
		end := next + int(size)
		if next < 0 || size < 1 || int64(len(b)-next) < size {
			return badRecord(i, "it does not fit the batch")
		}
		delta, next := varint(b[:end], next+1) // behind the attributes
		offset, next := varint(b[:end], next)
		key := next
		next = skipBytes(b[:end], next) // key
		next = skipBytes(b[:end], next) // value
		next = skipHeaders(b[:end], next)
		if next != end {
			return badRecord(i, "its fields do not fill its length")
		}
		if offset != i {
			return badRecord(i, fmt.Sprintf("its offset delta is %d", offset))
		}
		ts := base + kafka.Timestamp(delta)
		newest = max(newest, ts)
		if ts < low || ts > high || w.keyed {
			w.recordRules.check(i, ts, b[key] == nullLength)
		}
		at = end
	}
	w.newest = newest
	if at != len(b) {
		return fault{codeInvalidRecord, fmt.Sprintf("%d bytes follow the last record", len(b)-at)}
	}
	return fault{}
}

// nullLength is the varint of -1, the length of what is null.
const nullLength = 1

func badRecord(i int64, why string) fault {
	return fault{codeInvalidRecord, fmt.Sprintf("record %d of the batch is malformed: %s", i, why)}
}

// varint reads a zigzag varint at a position and gives the next position, which is negative, here
// and in all that follows, when there is none.
func varint(b []byte, at int) (v int64, next int) {
	if uint(at) < uint(len(b)) && b[at] < 0x80 {
		u := b[at]
		return int64(u>>1) ^ -int64(u&1), at + 1
	}
	return longVarint(b, at)
}

func longVarint(b []byte, at int) (v int64, next int) {
	if at < 0 {
		return 0, -1
	}
	var u uint64
	for shift := 0; shift < 64 && at < len(b); shift += 7 {
		c := b[at]
		at++
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), at
		}
	}
	return 0, -1
}

// skipBytes skips nullable bytes.
func skipBytes(b []byte, at int) int {
	n, next := varint(b, at)
	switch {
	case next < 0 || n < -1 || n > int64(len(b)-next):
		return -1
	case n == -1:
		return next
	}
	return next + int(n)
}

// skipHeaders skips a count and as many headers. A header's key is not null.
func skipHeaders(b []byte, at int) int {
	n, next := varint(b, at)
	if next < 0 || n < 0 || n > int64(len(b)-next) {
		return -1
	}
	for ; n > 0 && next >= 0; n-- {
		if size, after := varint(b, next); after < 0 || size < 0 {
			return -1
		}
		next = skipBytes(b, skipBytes(b, next))
	}
	return next
}

// plain reports whether the walk can read a batch.
func plain(b record.Batch) bool { return b.Codec() == record.None }
