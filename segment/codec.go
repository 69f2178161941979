package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// Sizes of the fixed entries of sections.
const (
	offsetEntrySize = 8
	timeEntrySize   = 8
	epochEntrySize  = 12
	abortedSize     = 32
	// producerBatchSize is that of one batch of a producer.
	producerBatchSize = 32
)

// Flags of the meta section.
const (
	metaHasControl uint32 = 1 << iota
	metaHasGaps
)

func encodeMeta(m Meta) []byte {
	be := binary.BigEndian
	b := append([]byte(nil), m.Topic[:]...)
	b = be.AppendUint32(b, uint32(m.Partition))
	b = be.AppendUint32(b, uint32(m.LeaderEpoch))
	for _, v := range []int64{
		int64(m.BaseOffset), int64(m.NextOffset), m.Records, m.Batches,
		int64(m.MinTimestamp), int64(m.MaxTimestamp),
	} {
		b = be.AppendUint64(b, uint64(v))
	}
	var flags uint32
	if m.HasControl {
		flags |= metaHasControl
	}
	if m.HasGaps {
		flags |= metaHasGaps
	}
	b = be.AppendUint32(b, flags)
	b = be.AppendUint32(b, uint32(len(m.Cluster)))
	return append(b, m.Cluster...)
}

func decodeMeta(b []byte) (Meta, error) {
	d := decoder{b: b}
	var m Meta
	copy(m.Topic[:], d.take(len(m.Topic)))
	m.Partition, m.LeaderEpoch = d.int32(), kafka.LeaderEpoch(d.int32())
	m.BaseOffset, m.NextOffset = d.offset(), d.offset()
	m.Records, m.Batches = d.int64(), d.int64()
	m.MinTimestamp, m.MaxTimestamp = kafka.Timestamp(d.int64()), kafka.Timestamp(d.int64())
	flags := uint32(d.int32())
	m.HasControl, m.HasGaps = flags&metaHasControl != 0, flags&metaHasGaps != 0
	m.Cluster = string(d.take(int(d.int32())))
	if d.bad || m.BaseOffset < 0 || m.NextOffset < m.BaseOffset || m.Records < 0 || m.Batches < 0 ||
		m.MinTimestamp < kafka.NoTimestamp || m.MaxTimestamp < m.MinTimestamp {
		return Meta{}, fmt.Errorf("%w: impossible meta section of %d bytes", ErrCorrupt, len(b))
	}
	return m, nil
}

func encodeEpochs(epochs []kafka.EpochStart) []byte {
	var b []byte
	for _, e := range epochs {
		b = binary.BigEndian.AppendUint32(b, uint32(e.Epoch))
		b = binary.BigEndian.AppendUint64(b, uint64(e.StartOffset))
	}
	return b
}

func decodeEpochs(b []byte) ([]kafka.EpochStart, error) {
	if len(b)%epochEntrySize != 0 {
		return nil, fmt.Errorf("%w: epoch section of %d bytes", ErrCorrupt, len(b))
	}
	d := decoder{b: b}
	out := make([]kafka.EpochStart, 0, len(b)/epochEntrySize)
	for len(d.b) > 0 {
		e := kafka.EpochStart{Epoch: kafka.LeaderEpoch(d.int32()), StartOffset: d.offset()}
		if n := len(out); n > 0 && (e.Epoch <= out[n-1].Epoch || e.StartOffset < out[n-1].StartOffset) {
			return nil, fmt.Errorf("%w: epoch %d from offset %d follows epoch %d from %d", ErrCorrupt,
				e.Epoch, e.StartOffset, out[n-1].Epoch, out[n-1].StartOffset)
		}
		out = append(out, e)
	}
	return out, nil
}

func encodeAborted(aborted []AbortedTxn) []byte {
	var b []byte
	be := binary.BigEndian
	for _, a := range aborted {
		b = be.AppendUint64(b, uint64(a.ProducerID))
		b = be.AppendUint64(b, uint64(a.FirstOffset))
		b = be.AppendUint64(b, uint64(a.LastOffset))
		b = be.AppendUint64(b, uint64(a.LastStableOffset))
	}
	return b
}

func decodeAborted(b []byte) ([]AbortedTxn, error) {
	if len(b)%abortedSize != 0 {
		return nil, fmt.Errorf("%w: aborted section of %d bytes", ErrCorrupt, len(b))
	}
	d := decoder{b: b}
	out := make([]AbortedTxn, 0, len(b)/abortedSize)
	for len(d.b) > 0 {
		out = append(out, AbortedTxn{
			ProducerID: kafka.ProducerID(d.int64()), FirstOffset: d.offset(), LastOffset: d.offset(),
			LastStableOffset: d.offset(),
		})
	}
	return out, nil
}

func encodeProducers(producers []ProducerState) []byte {
	var b []byte
	be := binary.BigEndian
	for _, p := range producers {
		kept := p.Batches[max(0, len(p.Batches)-producerBatchesMax):]
		b = be.AppendUint64(b, uint64(p.ProducerID))
		b = be.AppendUint16(b, uint16(p.Epoch))
		b = be.AppendUint16(b, uint16(len(kept)))
		b = be.AppendUint32(b, uint32(p.LastSequence))
		b = be.AppendUint64(b, uint64(p.LastOffset))
		b = be.AppendUint64(b, uint64(p.LastTimestamp))
		b = be.AppendUint64(b, uint64(p.CurrentTxnFirstOffset))
		b = be.AppendUint32(b, uint32(p.CoordinatorEpoch))
		b = be.AppendUint32(b, 0)
		for _, e := range kept {
			b = be.AppendUint32(b, uint32(e.FirstSequence))
			b = be.AppendUint32(b, uint32(e.LastSequence))
			b = be.AppendUint64(b, uint64(e.BaseOffset))
			b = be.AppendUint64(b, uint64(e.LastOffset))
			b = be.AppendUint64(b, uint64(e.Timestamp))
		}
	}
	return b
}

// eachProducer decodes the producer section one by one; keep may be nil.
func eachProducer(b []byte, keep func(ProducerState)) error {
	d := decoder{b: b}
	for len(d.b) > 0 && !d.bad {
		p := ProducerState{ProducerID: kafka.ProducerID(d.int64()), Epoch: d.int16()}
		batches := int(d.int16())
		p.LastSequence, p.LastOffset = d.int32(), d.offset()
		p.LastTimestamp, p.CurrentTxnFirstOffset = kafka.Timestamp(d.int64()), d.offset()
		p.CoordinatorEpoch = d.int32()
		d.int32() // reserved
		if batches < 0 || batches > producerBatchesMax {
			return fmt.Errorf("%w: producer %d with %d batches", ErrCorrupt, p.ProducerID, batches)
		}
		raw := decoder{b: d.take(batches * producerBatchSize)}
		if keep == nil || d.bad {
			continue
		}
		for range batches {
			p.Batches = append(p.Batches, ProducerBatch{
				FirstSequence: raw.int32(), LastSequence: raw.int32(),
				BaseOffset: raw.offset(), LastOffset: raw.offset(),
				Timestamp: kafka.Timestamp(raw.int64()),
			})
		}
		keep(p)
	}
	if d.bad {
		return fmt.Errorf("%w: producer section of %d bytes is cut short", ErrCorrupt, len(b))
	}
	return nil
}

// decoder reads big-endian fields; the first that is not there sets bad and all after it are zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	got := d.b[:n]
	d.b = d.b[n:]
	return got
}

func (d *decoder) int16() int16 {
	if b := d.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *decoder) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) offset() kafka.Offset { return kafka.Offset(d.int64()) }
