package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

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
	b.records, b.count = b.records[:0], 0
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
		b.first = ts
	}
	b.max = max(b.max, ts)
	body := append(b.scratch[:0], 0)
	body = binary.AppendVarint(body, int64(ts-b.first))
	body = binary.AppendVarint(body, int64(b.count))
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

func appendBytes(to, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(to, -1)
	}
	return append(binary.AppendVarint(to, int64(len(v))), v...)
}

// Build gives the batch of the records appended, with base offset 0 and no leader epoch, in memory of
// its own.
func (b *Builder) Build() (Batch, error) {
	compressed, err := deflate(b.Codec, b.records)
	if err != nil {
		return nil, fmt.Errorf("compress %d records with %s: %w", b.count, b.Codec, err)
	}
	if len(compressed) > math.MaxInt32-HeaderSize {
		return nil, fmt.Errorf("%w: batch of %d bytes", ErrInvalid, len(compressed))
	}
	out := make(Batch, HeaderSize, HeaderSize+len(compressed))
	attributes := uint16(b.Codec)
	if b.Transactional {
		attributes |= attrTransactional
	}
	b.header(out, attributes, len(compressed))
	out = append(out, compressed...)
	binary.BigEndian.PutUint32(out[posCRC:], out.checksum())
	return out, nil
}

func (b *Builder) header(out Batch, attributes uint16, recordBytes int) {
	be := binary.BigEndian
	be.PutUint32(out[posLength:], uint32(HeaderSize-lengthOverhead+recordBytes))
	out.SetLeaderEpoch(kafka.NoLeaderEpoch)
	out[posMagic] = magicV2
	be.PutUint16(out[posAttributes:], attributes)
	be.PutUint32(out[posLastOffsetDelta:], uint32(max(b.count-1, 0)))
	be.PutUint64(out[posBaseTimestamp:], uint64(b.first))
	be.PutUint64(out[posMaxTimestamp:], uint64(b.max))
	be.PutUint64(out[posProducerID:], uint64(b.producerID))
	be.PutUint16(out[posProducerEpoch:], uint16(b.producerEpoch))
	be.PutUint32(out[posBaseSequence:], uint32(b.baseSequence))
	be.PutUint32(out[posCount:], uint32(b.count))
}

// Marker is the kind of a control record.
type Marker int16

// The control records that end a transaction.
const (
	Abort  Marker = 0
	Commit Marker = 1
)

// NewMarker makes the control batch that ends a producer's transaction (KIP-98): key version and kind,
// value version and the coordinator's epoch.
func NewMarker(m Marker, id kafka.ProducerID, epoch int16, coordinatorEpoch int32,
	ts kafka.Timestamp,
) Batch {
	b := NewBuilder(None)
	b.SetProducer(id, epoch, kafka.NoSequence)
	key := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(m))
	value := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(coordinatorEpoch))
	b.Append(ts, key, value)
	out := make(Batch, HeaderSize, HeaderSize+len(b.records))
	b.header(out, attrTransactional|attrControl, len(b.records))
	out = append(out, b.records...)
	binary.BigEndian.PutUint32(out[posCRC:], out.checksum())
	return out
}

// ParseMarker reads the kind and the coordinator's epoch of a control record. False for control records
// of other kinds.
func ParseMarker(r Record) (m Marker, coordinatorEpoch int32, ok bool) {
	if len(r.Key) < 4 || len(r.Value) < 6 {
		return 0, 0, false
	}
	m = Marker(binary.BigEndian.Uint16(r.Key[2:]))
	return m, int32(binary.BigEndian.Uint32(r.Value[2:])), m == Abort || m == Commit
}

// deflate compresses records; with None it returns them as they are.
func deflate(c Codec, records []byte) ([]byte, error) {
	switch c {
	case None:
		return records, nil
	case Snappy:
		return s2.EncodeSnappy(nil, records), nil
	case Zstd:
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		out := w.EncodeAll(records, nil)
		return out, w.Close()
	case Gzip:
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(records); err != nil {
			return nil, err
		}
		err := w.Close()
		return out.Bytes(), err
	case LZ4:
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		if _, err := w.Write(records); err != nil {
			return nil, err
		}
		err := w.Close()
		return out.Bytes(), err
	}
	return nil, fmt.Errorf("%w: unknown codec %d", ErrInvalid, c)
}
