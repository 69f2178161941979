package record

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/varve-log/varve/kafka"
)

// Builder makes batches: of the command line's records, of control markers and for tests. The zero
// value builds uncompressed batches of a producer that is not idempotent, once Reset was called.
type Builder struct {
	// Codec compresses the records.
	Codec Codec
	// Transactional marks the batch; the producer fields must be set too.
	Transactional bool

	producerID    kafka.ProducerID
	producerEpoch int16
	baseSequence  int32

	records []byte
	scratch []byte
	count   int32
	skipped int32
	first   kafka.Timestamp
	max     kafka.Timestamp
}

// NewBuilder makes a Builder for the codec.
func NewBuilder(c Codec) *Builder {
	b := &Builder{Codec: c}
	b.Reset()
	return b
}

// Reset drops the records and the producer fields, and keeps codec and memory.
func (b *Builder) Reset() {
	b.records, b.count, b.skipped = b.records[:0], 0, 0
	b.first, b.max = kafka.NoTimestamp, kafka.NoTimestamp
	b.producerID, b.producerEpoch = kafka.NoProducerID, kafka.NoProducerEpoch
	b.baseSequence = kafka.NoSequence
}

// SetProducer makes the batch that of an idempotent producer.
func (b *Builder) SetProducer(id kafka.ProducerID, epoch int16, baseSequence int32) {
	b.producerID, b.producerEpoch, b.baseSequence = id, epoch, baseSequence
}

// Count is the number of records so far.
func (b *Builder) Count() int { return int(b.count) }

// Bytes is the size of the records so far before compression.
func (b *Builder) Bytes() int { return len(b.records) }

// Append adds a record. A nil key or value is null.
func (b *Builder) Append(ts kafka.Timestamp, key, value []byte, headers ...Header) {
	if b.count == 0 {
		b.first, b.max = ts, ts
	}
	b.max = max(b.max, ts)
	body := append(b.scratch[:0], 0)
	body = binary.AppendVarint(body, int64(ts-b.first))
	body = binary.AppendVarint(body, int64(b.count+b.skipped))
	body = appendBytes(body, key)
	body = appendBytes(body, value)
	body = binary.AppendVarint(body, int64(len(headers)))
	for _, h := range headers {
		body = binary.AppendVarint(body, int64(len(h.Key)))
		body = append(body, h.Key...)
		body = appendBytes(body, h.Value)
	}
	b.scratch = body
	b.records = append(binary.AppendVarint(b.records, int64(len(body))), body...)
	b.count++
}

// Skip leaves n offsets without a record, as compaction does. After it the batch passes
// ValidateStored but no longer Validate.
func (b *Builder) Skip(n int) { b.skipped += int32(n) }

func appendBytes(to, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(to, -1)
	}
	return append(binary.AppendVarint(to, int64(len(v))), v...)
}

// Build gives the batch of the records appended, with base offset 0 and no leader epoch, in memory
// of its own.
func (b *Builder) Build() (Batch, error) {
	compressed, err := deflate(b.Codec, b.records)
	if err != nil {
		return nil, fmt.Errorf("compress %d records with %s: %w", b.count, b.Codec, err)
	}
	if len(compressed) > math.MaxInt32-HeaderSize {
		return nil, fmt.Errorf("%w: batch of %d bytes", ErrInvalid, len(compressed))
	}
	attributes := uint16(b.Codec)
	if b.Transactional {
		attributes |= attrTransactional
	}
	return b.assemble(attributes, compressed), nil
}

func (b *Builder) assemble(attributes uint16, records []byte) Batch {
	out := make(Batch, HeaderSize, HeaderSize+len(records))
	b.header(out, attributes, len(records))
	out = append(out, records...)
	binary.BigEndian.PutUint32(out[posCRC:], out.checksum())
	return out
}

func (b *Builder) header(out Batch, attributes uint16, recordBytes int) {
	be := binary.BigEndian
	be.PutUint32(out[posLength:], uint32(HeaderSize-lengthOverhead+recordBytes))
	out.SetLeaderEpoch(kafka.NoLeaderEpoch)
	out[posMagic] = magicV2
	be.PutUint16(out[posAttributes:], attributes)
	be.PutUint32(out[posLastOffsetDelta:], uint32(max(b.count+b.skipped-1, 0)))
	be.PutUint64(out[posBaseTimestamp:], uint64(b.first))
	be.PutUint64(out[posMaxTimestamp:], uint64(b.max))
	be.PutUint64(out[posProducerID:], uint64(b.producerID))
	be.PutUint16(out[posProducerEpoch:], uint16(b.producerEpoch))
	be.PutUint32(out[posBaseSequence:], uint32(b.baseSequence))
	be.PutUint32(out[posCount:], uint32(b.count))
}
