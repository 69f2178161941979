package load

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var (
	errBatch  = errors.New("record batch is cut short or has another format than v2")
	errCRC    = errors.New("record batch does not match its CRC32C")
	errRecord = errors.New("record is cut short")
)

// tally is what was read of a run of batches.
type tally struct {
	records    int64
	valueBytes int64
	batchBytes int64
	next       int64 // the offset after the last batch
}

// heads adds the batches of data by their headers alone. A batch cut short at the end is left out.
func (t *tally) heads(data []byte) error {
	return t.each(data, nil)
}

// walk adds the batches of data, checks their CRCs and reads every record.
func (t *tally) walk(data []byte) error {
	return t.each(data, t.batch)
}

func (t *tally) each(data []byte, visit func([]byte) error) error {
	for len(data) >= recordsAt {
		size := leaderEpochAt + int(int32(binary.BigEndian.Uint32(data[lengthAt:])))
		if size < recordsAt || data[magicAt] != 2 {
			return errBatch
		}
		if size > len(data) {
			break
		}
		b := data[:size]
		base := int64(binary.BigEndian.Uint64(b))
		t.next = base + int64(binary.BigEndian.Uint32(b[lastDeltaAt:])) + 1
		t.records += int64(binary.BigEndian.Uint32(b[countAt:]))
		t.batchBytes += int64(size)
		if visit != nil {
			if err := visit(b); err != nil {
				return err
			}
		}
		data = data[size:]
	}
	return nil
}

// batch reads every record of one batch that is not compressed.
func (t *tally) batch(b []byte) error {
	if crc32.Checksum(b[attributesAt:], castagnoli) != binary.BigEndian.Uint32(b[crcAt:]) {
		return errCRC
	}
	rest := b[recordsAt:]
	for range binary.BigEndian.Uint32(b[countAt:]) {
		size, n := binary.Varint(rest)
		if n <= 0 || size < 5 || size > int64(len(rest)-n) {
			return errRecord
		}
		r := rest[n : n+int(size)]
		rest = rest[n+int(size):]
		if err := t.record(r[1:]); err != nil { // after the attributes
			return err
		}
	}
	return nil
}

// record reads a record's fields up to its value.
func (t *tally) record(r []byte) error {
	for range 2 { // timestamp and offset delta
		_, n := binary.Varint(r)
		if n <= 0 {
			return errRecord
		}
		r = r[n:]
	}
	size := int64(0)
	for range 2 { // key and value
		length, n := binary.Varint(r)
		if n <= 0 || max(length, 0) > int64(len(r)-n) {
			return errRecord
		}
		size = max(length, 0)
		r = r[n+int(size):]
	}
	t.valueBytes += size
	return nil
}
