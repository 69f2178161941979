package api

import (
	"encoding/binary"
	"unsafe"
)

// wire reads a request without copying. After bad is set every read gives zero values.
type wire struct {
	b        []byte
	flexible bool
	bad      bool
}

func (w *wire) take(n int) []byte {
	if w.bad || n < 0 || n > len(w.b) {
		w.bad, w.b = true, nil
		return nil
	}
	out := w.b[:n:n]
	w.b = w.b[n:]
	return out
}

func (w *wire) int16() int16 {
	if b := w.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (w *wire) int32() int32 {
	if b := w.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (w *wire) uvarint() uint64 {
	v, n := binary.Uvarint(w.b)
	if n <= 0 || v > 1<<32 {
		w.bad, w.b = true, nil
		return 0
	}
	w.b = w.b[n:]
	return v
}

// length reads the length of a string or bytes, or the count of an array; -1 is null.
func (w *wire) length(wide bool) int {
	switch {
	case w.flexible:
		return int(w.uvarint()) - 1
	case wide:
		return int(w.int32())
	}
	return int(w.int16())
}

// array reads the count of an array whose elements take at least size bytes each. Null counts as
// none.
func (w *wire) array(size int) int {
	n := w.length(true)
	if n > len(w.b)/size {
		w.bad, w.b = true, nil
	}
	if w.bad || n < 0 {
		return 0
	}
	return n
}

// str reads a string that may be null, which is reported as absent. The bytes are the request's.
func (w *wire) str() (s []byte, present bool) {
	n := w.length(false)
	if n == -1 {
		return nil, false
	}
	return w.take(n), !w.bad
}

// bytes reads nullable bytes; null is nil. The bytes are the request's.
func (w *wire) bytes() []byte {
	n := w.length(true)
	if n == -1 {
		return nil
	}
	return w.take(n)
}

// tags skips a tagged-field section.
func (w *wire) tags() {
	if !w.flexible {
		return
	}
	for n := w.uvarint(); n > 0 && !w.bad; n-- {
		w.uvarint()
		w.take(int(w.uvarint()))
	}
}

// aliasString is b as a string without a copy, for lookups that do not keep it.
func aliasString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func appendInt16(b []byte, v int16) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func appendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func appendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// appendCount writes an array's count.
func appendCount(b []byte, n int, flexible bool) []byte {
	if flexible {
		return binary.AppendUvarint(b, uint64(n+1))
	}
	return appendInt32(b, int32(n))
}

// appendString writes a string.
func appendString[S ~string | ~[]byte](b []byte, s S, flexible bool) []byte {
	if flexible {
		b = binary.AppendUvarint(b, uint64(len(s)+1))
	} else {
		b = appendInt16(b, int16(len(s)))
	}
	return append(b, s...)
}

// appendText writes a string of which the empty one is written as null.
func appendText(b []byte, s string, flexible bool) []byte {
	switch {
	case s != "":
		return appendString(b, s, flexible)
	case flexible:
		return append(b, 0)
	}
	return appendInt16(b, -1)
}

// appendLeaderTag writes a CurrentLeader field (KIP-951) as tagged field number tag.
func appendLeaderTag(b []byte, tag byte, leader, epoch int32) []byte {
	b = append(b, tag, 9)
	b = appendInt32(b, leader)
	b = appendInt32(b, epoch)
	return append(b, 0)
}

// appendNodesTag writes the tagged section at the end of an answer: none, or tag 0 with the
// endpoints of nodes (KIP-951).
func appendNodesTag(b []byte, nodes []Agent) []byte {
	if len(nodes) == 0 {
		return append(b, 0)
	}
	var body []byte
	body = appendCount(body, len(nodes), true)
	for _, n := range nodes {
		body = appendInt32(body, n.ID)
		body = appendString(body, n.Host, true)
		body = appendInt32(body, n.Port)
		body = appendText(body, n.Rack, true)
		body = append(body, 0)
	}
	b = append(b, 1, 0)
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...)
}
