package load

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"time"
)

// Where the fields of a record batch (format v2) stand.
const (
	lengthAt      = 8
	leaderEpochAt = 12
	magicAt       = 16
	crcAt         = 17
	attributesAt  = 21
	lastDeltaAt   = 23
	baseTimeAt    = 27
	maxTimeAt     = 35
	producerAt    = 43 // id, epoch and base sequence: 14 bytes of 0xff when there is none
	countAt       = 57
	recordsAt     = 61
)

// recordOverheadMax bounds what a record takes beside its value, and batchOverheadMax a batch.
const (
	recordOverheadMax = 16
	batchOverheadMax  = recordsAt
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// slabBytes is how much content the values are cut from: more than a CPU caches would make the
// client slower, less would be one value over and over.
const slabBytes = 1 << 20

// encoder builds uncompressed batches of records without key, with values of one size.
type encoder struct {
	slab  []byte
	size  int
	next  int    // in slab, of the next value
	after []byte // what follows a record's offset delta, before the value: no key, value length
}

func newEncoder(recordBytes int) *encoder {
	e := &encoder{size: recordBytes, slab: make([]byte, slabBytes+recordBytes)}
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(e.slab)
	e.after = append(e.after, 1) // key length -1
	e.after = binary.AppendVarint(e.after, int64(recordBytes))
	return e
}

// fit is how many records a batch of at most batchBytes holds; one at least.
func (e *encoder) fit(batchBytes int) int {
	return max((batchBytes-batchOverheadMax)/(e.size+len(e.after)+8), 1)
}

// bound is how large a batch of n records may be at most.
func (e *encoder) bound(n int) int { return batchOverheadMax + n*(e.size+recordOverheadMax) }

// append builds a batch of n records with one timestamp behind what b holds.
func (e *encoder) append(b []byte, n int, at time.Time) []byte {
	start := len(b)
	b = append(b, make([]byte, recordsAt)...)
	for i := range n {
		b = e.record(b, i)
	}
	h := b[start:]
	millis := uint64(at.UnixMilli())
	binary.BigEndian.PutUint32(h[lengthAt:], uint32(len(h)-leaderEpochAt))
	binary.BigEndian.PutUint32(h[leaderEpochAt:], ^uint32(0))
	h[magicAt] = 2
	binary.BigEndian.PutUint16(h[attributesAt:], 0)
	binary.BigEndian.PutUint32(h[lastDeltaAt:], uint32(n-1))
	binary.BigEndian.PutUint64(h[baseTimeAt:], millis)
	binary.BigEndian.PutUint64(h[maxTimeAt:], millis)
	for i := producerAt; i < countAt; i++ {
		h[i] = 0xff
	}
	binary.BigEndian.PutUint32(h[countAt:], uint32(n))
	binary.BigEndian.PutUint32(h[crcAt:], crc32.Checksum(h[attributesAt:], castagnoli))
	return b
}

// record appends the record at an index of its batch.
func (e *encoder) record(b []byte, index int) []byte {
	var delta [binary.MaxVarintLen32]byte
	n := binary.PutVarint(delta[:], int64(index))
	b = binary.AppendVarint(b, int64(2+n+len(e.after)+e.size+1))
	b = append(b, 0, 0) // attributes, timestamp delta
	b = append(b, delta[:n]...)
	b = append(b, e.after...)
	b = append(b, e.slab[e.next:e.next+e.size]...)
	if e.next += e.size; e.next >= slabBytes {
		e.next -= slabBytes
	}
	return append(b, 0) // headers
}
