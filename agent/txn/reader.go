package txn

import (
	"encoding/binary"
	"fmt"
)

// reader takes fields off a record's value; after the first that is missing it gives zeros and bad is
// set. Counts are held against the bytes that are left before anything loops over them, which kmsg does
// not do for tagged fields.
type reader struct {
	b        []byte
	flexible bool
	bad      bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) int8() int8 {
	if b := r.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads the length of an array whose elements have at least size bytes; null is 0.
func (r *reader) count(size int) int {
	n := int64(-1)
	if r.flexible {
		n = int64(min(r.uvarint(), 1<<31)) - 1
	} else {
		n = int64(r.int32())
	}
	if n > int64(len(r.b)/size) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(max(n, 0))
}

func (r *reader) text() string {
	if r.flexible {
		return string(r.take(int(min(r.uvarint(), 1<<31)) - 1))
	}
	return string(r.take(int(r.int16())))
}

// tags gives each tagged field of a section to use.
func (r *reader) tags(use func(tag uint64, value *reader)) {
	if !r.flexible {
		return
	}
	n := r.uvarint()
	if n > uint64(len(r.b)/2) {
		r.bad = true
		return
	}
	for ; n > 0 && !r.bad; n-- {
		tag := r.uvarint()
		value := reader{b: r.take(int(min(r.uvarint(), 1<<31)))}
		if use(tag, &value); value.bad {
			r.bad = true
		}
	}
}

// done tells what was wrong.
func (r *reader) done(what string) error {
	if r.bad {
		return fmt.Errorf("%w: %s ends early", ErrUnknownFormat, what)
	}
	return nil
}
