package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/varve-log/varve/kafka"
)

// HeaderSize is the size of a batch's header in bytes, from the base offset through the record
// count.
const HeaderSize = 61

// Positions of the header's fields.
const (
	posBaseOffset      = 0
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posCount           = 57
	// lengthOverhead is what the length field does not count: the base offset and itself.
	lengthOverhead = 12
)

// Bits of the attributes.
const (
	attrCodecMask     = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
	attrKnown         = 0x7f
)

const magicV2 = 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is exactly one record batch v2 in the caller's memory. Its getters assume that Next or
// Validate has checked that at least the header is there.
type Batch []byte

// Next splits the first whole batch off b. It checks the length and the magic byte only.
//
// Errors: ErrTruncated when b ends before the batch does, ErrCorrupt for an impossible length,
// ErrMagic for a format before v2 or after it.
func Next(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) < posMagic+1 {
		return nil, b, fmt.Errorf("%w: %d bytes left", ErrTruncated, len(b))
	}
	if magic := int8(b[posMagic]); magic != magicV2 {
		return nil, b, fmt.Errorf("%w %d", ErrMagic, magic)
	}
	length := int64(int32(binary.BigEndian.Uint32(b[posLength:])))
	size := length + lengthOverhead
	if size < HeaderSize {
		return nil, b, fmt.Errorf("%w: batch length %d", ErrCorrupt, length)
	}
	if size > int64(len(b)) {
		return nil, b, fmt.Errorf("%w: batch of %d bytes, %d are there", ErrTruncated, size, len(b))
	}
	return Batch(b[:size:size]), b[size:], nil
}

// BaseOffset is the offset of the first record.
func (b Batch) BaseOffset() kafka.Offset {
	return kafka.Offset(binary.BigEndian.Uint64(b[posBaseOffset:]))
}

// LastOffset is the offset of the last record, compacted away or not.
func (b Batch) LastOffset() kafka.Offset {
	return b.BaseOffset() + kafka.Offset(b.LastOffsetDelta())
}

// NextOffset is LastOffset + 1.
func (b Batch) NextOffset() kafka.Offset { return b.LastOffset() + 1 }

// LeaderEpoch is the epoch of the leader that appended the batch.
func (b Batch) LeaderEpoch() kafka.LeaderEpoch {
	return kafka.LeaderEpoch(b.int32(posLeaderEpoch))
}

// Magic is the format version, 2.
func (b Batch) Magic() int8 { return int8(b[posMagic]) }

// CRC is the stored CRC32C of everything from the attributes on.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[posCRC:]) }

// Attributes are the raw attribute bits.
func (b Batch) Attributes() int16 { return int16(binary.BigEndian.Uint16(b[posAttributes:])) }

// Codec is how the records are compressed; above Zstd it is not valid.
func (b Batch) Codec() Codec { return Codec(b.Attributes() & attrCodecMask) }

// TimestampType says whose clock the timestamps are.
func (b Batch) TimestampType() TimestampType {
	if b.Attributes()&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional reports whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.Attributes()&attrTransactional != 0 }

// IsControl reports whether the batch holds control records, which consumers never see.
func (b Batch) IsControl() bool { return b.Attributes()&attrControl != 0 }

// LastOffsetDelta is LastOffset - BaseOffset.
func (b Batch) LastOffsetDelta() int32 { return b.int32(posLastOffsetDelta) }

// DeleteHorizon is when compaction may drop the batch's tombstones, or the marker of a transaction
// whose records are gone (KIP-534); false before a cleaning has set it.
func (b Batch) DeleteHorizon() (kafka.Timestamp, bool) {
	if b.Attributes()&attrDeleteHorizon == 0 {
		return kafka.NoTimestamp, false
	}
	return b.BaseTimestamp(), true
}

// BaseTimestamp is what the records' timestamp deltas count from: the first record's timestamp as
// the batch was built, or the delete horizon where there is one.
func (b Batch) BaseTimestamp() kafka.Timestamp {
	return kafka.Timestamp(binary.BigEndian.Uint64(b[posBaseTimestamp:]))
}

// MaxTimestamp is the largest timestamp of the records; with LogAppendTime every record's.
func (b Batch) MaxTimestamp() kafka.Timestamp {
	return kafka.Timestamp(binary.BigEndian.Uint64(b[posMaxTimestamp:]))
}

// ProducerID is kafka.NoProducerID unless the producer is idempotent.
func (b Batch) ProducerID() kafka.ProducerID {
	return kafka.ProducerID(binary.BigEndian.Uint64(b[posProducerID:]))
}

// ProducerEpoch is kafka.NoProducerEpoch unless the producer is idempotent.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[posProducerEpoch:])) }

// BaseSequence is the first record's sequence number, or kafka.NoSequence.
func (b Batch) BaseSequence() int32 { return b.int32(posBaseSequence) }

// LastSequence is the last record's sequence number, which wraps from 2^31-1 to 0.
func (b Batch) LastSequence() int32 {
	base := b.BaseSequence()
	if base == kafka.NoSequence {
		return kafka.NoSequence
	}
	return int32((int64(base) + int64(b.LastOffsetDelta())) & math.MaxInt32)
}

// Count is the number of records in the batch.
func (b Batch) Count() int32 { return b.int32(posCount) }

// Size is the batch's size in bytes.
func (b Batch) Size() int { return len(b) }

// SetBaseOffset moves the batch to another base offset. The field is outside the CRC.
func (b Batch) SetBaseOffset(o kafka.Offset) {
	binary.BigEndian.PutUint64(b[posBaseOffset:], uint64(o))
}

// SetLeaderEpoch stamps the batch with the appending leader's epoch. The field is outside the CRC.
func (b Batch) SetLeaderEpoch(e kafka.LeaderEpoch) {
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(e))
}

// SetAppendTime makes ts the timestamp of every record (message.timestamp.type=LogAppendTime): it
// sets the attribute and the max timestamp and computes the CRC anew. The base timestamp stays, as
// in Kafka.
func (b Batch) SetAppendTime(ts kafka.Timestamp) {
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(b.Attributes()|attrLogAppendTime))
	b.putMaxTimestamp(ts)
}

func (b Batch) putMaxTimestamp(ts kafka.Timestamp) {
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(ts))
	binary.BigEndian.PutUint32(b[posCRC:], b.checksum())
}

func (b Batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }

func (b Batch) checksum() uint32 { return crc32.Checksum(b[posAttributes:], castagnoli) }
