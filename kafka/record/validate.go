package record

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Validate checks one batch as a producer sent it, without inflating it: length, magic, CRC32C,
// attributes, record count against offset delta, offset and sequence overflow.
//
// Errors: ErrTruncated, ErrMagic, ErrCorrupt (length or CRC), ErrInvalid (everything else).
func (b Batch) Validate() error {
	if err := b.ValidateStored(); err != nil {
		return err
	}
	if count, delta := b.Count(), b.LastOffsetDelta(); int64(count) != int64(delta)+1 {
		return fmt.Errorf("%w: %d records, last offset delta %d", ErrInvalid, count, delta)
	}
	if b.ProducerID() >= 0 && !b.IsControl() && b.BaseSequence() < 0 {
		return fmt.Errorf("%w: producer %d with sequence %d",
			ErrInvalid, b.ProducerID(), b.BaseSequence())
	}
	return nil
}

// ValidateStored is Validate for a batch from a log: compaction may have removed records, so that
// the count can be below the offset delta, and what a coordinator wrote to a producer's transaction
// has no sequence.
func (b Batch) ValidateStored() error {
	if len(b) < HeaderSize {
		return fmt.Errorf("%w: %d bytes, the header has %d", ErrTruncated, len(b), HeaderSize)
	}
	if b.Magic() != magicV2 {
		return fmt.Errorf("%w %d", ErrMagic, b.Magic())
	}
	length := int64(int32(binary.BigEndian.Uint32(b[posLength:])))
	if length+lengthOverhead != int64(len(b)) {
		return fmt.Errorf("%w: length says %d bytes, there are %d",
			ErrCorrupt, length+lengthOverhead, len(b))
	}
	if got, want := b.checksum(), b.CRC(); got != want {
		return fmt.Errorf("%w: CRC32C is %08x, the header says %08x", ErrCorrupt, got, want)
	}
	return b.validateFields()
}

func (b Batch) validateFields() error {
	count, delta := b.Count(), b.LastOffsetDelta()
	switch {
	case b.Attributes()&^attrKnown != 0:
		return fmt.Errorf("%w: attributes %#04x have unknown bits", ErrInvalid, b.Attributes())
	case b.Codec() > Zstd:
		return fmt.Errorf("%w: unknown codec %d", ErrInvalid, b.Codec())
	case count < 0 || delta < 0 || int64(count) > int64(delta)+1:
		return fmt.Errorf("%w: %d records, last offset delta %d", ErrInvalid, count, delta)
	case b.BaseOffset() < 0 || int64(b.BaseOffset()) > math.MaxInt64-int64(delta)-1:
		return fmt.Errorf("%w: base offset %d", ErrInvalid, b.BaseOffset())
	case b.ProducerID() >= 0 && !b.IsControl() && b.ProducerEpoch() < 0:
		return fmt.Errorf("%w: producer %d with epoch %d",
			ErrInvalid, b.ProducerID(), b.ProducerEpoch())
	case b.IsTransactional() && b.ProducerID() < 0:
		return fmt.Errorf("%w: transactional without a producer id", ErrInvalid)
	}
	return nil
}

// ValidateRecords inflates a batch that Validate has passed and walks its records: each must be
// whole, the offset deltas must count 0, 1, 2, ... and there must be as many as the header says.
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
