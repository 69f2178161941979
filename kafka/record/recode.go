package record

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// DefaultLevel asks for the level that a codec has by itself.
const DefaultLevel = math.MinInt

// Recode gives the batch with its records compressed by another codec, in memory of its own. The
// records themselves stay as they are, and so does all else of the header: offsets, timestamps, the
// producer's fields. level is the codec's own (DefaultLevel, gzip 1 to 9, lz4 1 to 17, zstd -131072
// to 22) and ignored by the others. ErrTooLarge, ErrCorrupt.
func (b Batch) Recode(to Codec, level int, l Limits) (Batch, error) {
	records := []byte(b[HeaderSize:])
	if from := b.Codec(); from != None {
		buf := buffers.Get().(*buffer)
		defer buf.free()
		if err := inflate(from, records, buf, l); err != nil {
			return nil, err
		}
		records = buf.b
	}
	packed, err := deflateAt(to, level, records)
	if err != nil {
		return nil, fmt.Errorf("compress %d records with %s: %w", b.Count(), to, err)
	}
	if len(packed) > math.MaxInt32-HeaderSize {
		return nil, fmt.Errorf("%w: batch of %d bytes", ErrTooLarge, len(packed))
	}
	out := slices.Concat(b[:HeaderSize], Batch(packed))
	be := binary.BigEndian
	be.PutUint32(out[posLength:], uint32(HeaderSize-lengthOverhead+len(packed)))
	be.PutUint16(out[posAttributes:], uint16(b.Attributes())&^attrCodecMask|uint16(to))
	be.PutUint32(out[posCRC:], out.checksum())
	return out, nil
}
