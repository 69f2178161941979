package hotlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/varve-log/varve/kafka"
)

// Files of state are: magic of 8 bytes, CRC32C of the body, its length, the body. Integers are big
// endian. FORMAT.md lists the bodies.
const (
	checkpointMagic   = "VRVHCKP2"
	checkpointMagicV1 = "VRVHCKP1" // before logs were cleaned
	snapshotMagic     = "VRVHPRD1"
	sealSize          = 16
	// stateFileMax bounds what is read back: what 65,536 producers and a million segments take.
	stateFileMax = 256 << 20
)

// Sizes of the parts that repeat, against which counts are checked before memory is taken.
const (
	infoSizeV1   = 8*9 + 4*3 + 1
	infoSize     = infoSizeV1 + 4
	epochSize    = 4 + 8
	producerSize = 8 + 2 + 4 + 8 + 8 + 8 + 1
	spanSize     = 4 + 4 + 8 + 8 + 8
	endedSize    = 8 * 4
)

// sealFile puts magic, checksum and length before a body built behind sealSize spare bytes.
func sealFile(b []byte, magic string) []byte {
	copy(b, magic)
	body := b[sealSize:]
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(body, castagnoli))
	binary.BigEndian.PutUint32(b[12:], uint32(len(body)))
	return b
}

// openSealed checks magic, length and checksum and gives the body.
func openSealed(b []byte, magic string) ([]byte, error) {
	if len(b) < sealSize || string(b[:8]) != magic {
		return nil, fmt.Errorf("no %s file: %w", magic, ErrCorrupt)
	}
	body := b[sealSize:]
	if uint64(binary.BigEndian.Uint32(b[12:])) != uint64(len(body)) {
		return nil, fmt.Errorf("%s file of %d bytes: %w", magic, len(b), ErrCorrupt)
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(b[8:]) {
		return nil, fmt.Errorf("%s file checksum: %w", magic, ErrCorrupt)
	}
	return body, nil
}

// encoder appends integers.
type encoder struct{ b []byte }

func newEncoder(sizeHint int) *encoder {
	return &encoder{b: make([]byte, sealSize, sealSize+sizeHint)}
}

func (e *encoder) u8(v uint8)   { e.b = append(e.b, v) }
func (e *encoder) i16(v int16)  { e.b = binary.BigEndian.AppendUint16(e.b, uint16(v)) }
func (e *encoder) u32(v uint32) { e.b = binary.BigEndian.AppendUint32(e.b, v) }
func (e *encoder) i32(v int32)  { e.u32(uint32(v)) }
func (e *encoder) i64(v int64)  { e.b = binary.BigEndian.AppendUint64(e.b, uint64(v)) }

func (e *encoder) offset(v kafka.Offset)  { e.i64(int64(v)) }
func (e *encoder) time(v kafka.Timestamp) { e.i64(int64(v)) }

func (e *encoder) flag(v bool) {
	if v {
		e.u8(1)
	} else {
		e.u8(0)
	}
}

func (e *encoder) text(s string) {
	e.u32(uint32(len(s)))
	e.b = append(e.b, s...)
}

// decoder takes integers off; after the first that is missing it gives zeros and err is set.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		if d.err == nil {
			d.err = fmt.Errorf("body ends early: %w", ErrCorrupt)
		}
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) i16() int16 {
	if b := d.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) i64() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (d *decoder) i32() int32            { return int32(d.u32()) }
func (d *decoder) offset() kafka.Offset  { return kafka.Offset(d.i64()) }
func (d *decoder) time() kafka.Timestamp { return kafka.Timestamp(d.i64()) }
func (d *decoder) flag() bool            { return d.u8() != 0 }

func (d *decoder) text() string { return string(d.take(int(d.u32()))) }

// count reads how many items of at least size bytes follow, and refuses more than there can be.
func (d *decoder) count(size int) int {
	n := int64(d.u32())
	if d.err == nil && n*int64(size) > int64(len(d.b)) {
		d.err = fmt.Errorf("%d items of %d bytes in %d: %w", n, size, len(d.b), ErrCorrupt)
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

// end reports the first error, or that something is left.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes left over: %w", len(d.b), ErrCorrupt)
	}
	return d.err
}

func (e *encoder) producers(all []producer) {
	e.u32(uint32(len(all)))
	for i := range all {
		p := &all[i]
		e.i64(int64(p.id))
		e.i16(p.epoch)
		e.i32(p.coordinatorEpoch)
		e.time(p.lastTimestamp)
		e.i64(p.lastAppend)
		e.offset(p.txnFirst)
		e.u8(uint8(p.spans))
		for _, s := range p.span[:p.spans] {
			e.i32(s.firstSeq)
			e.i32(s.lastSeq)
			e.offset(s.baseOffset)
			e.offset(s.lastOffset)
			e.time(s.timestamp)
		}
	}
}

func (d *decoder) producers() []producer {
	out := make([]producer, 0, d.count(producerSize))
	for range cap(out) {
		p := producer{
			id: kafka.ProducerID(d.i64()), epoch: d.i16(), coordinatorEpoch: d.i32(),
			lastTimestamp: d.time(), lastAppend: d.i64(), txnFirst: d.offset(),
			spans: int(d.u8()),
		}
		if p.spans > batchesKept {
			d.err = firstError(d.err, fmt.Errorf("%d batches kept: %w", p.spans, ErrCorrupt))
			return nil
		}
		for i := range p.span[:p.spans] {
			p.span[i] = batchSpan{
				firstSeq: d.i32(), lastSeq: d.i32(), baseOffset: d.offset(),
				lastOffset: d.offset(), timestamp: d.time(),
			}
		}
		out = append(out, p)
	}
	return out
}

// encodeSnapshot is the file of a producer snapshot.
func encodeSnapshot(all []producer) []byte {
	e := newEncoder(4 + len(all)*(producerSize+batchesKept*spanSize))
	e.producers(all)
	return sealFile(e.b, snapshotMagic)
}

func decodeSnapshot(b []byte) ([]producer, error) {
	body, err := openSealed(b, snapshotMagic)
	if err != nil {
		return nil, err
	}
	d := &decoder{b: body}
	all := d.producers()
	if err := d.end(); err != nil {
		return nil, fmt.Errorf("producer snapshot: %w", err)
	}
	return all, nil
}
