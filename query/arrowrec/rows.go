package arrowrec

import (
	"bytes"
	"unicode/utf8"

	"github.com/varve-log/varve/kafka/record"
)

// Bytes is a column of byte strings: value i is Data[Ends[i]:Ends[i+1]].
type Bytes struct {
	Ends  []int32 // one more than there are values; the first is 0
	Data  []byte
	Valid Bitmap
}

// Len is the number of values.
func (b *Bytes) Len() int { return len(b.Ends) - 1 }

func (b *Bytes) reset() {
	b.Ends = append(b.Ends[:0], 0)
	b.Data = b.Data[:0]
	b.Valid.reset()
}

// add appends v, or null when v is nil.
func (b *Bytes) add(v []byte) {
	b.Valid.add(v != nil)
	b.Data = append(b.Data, v...)
	b.Ends = append(b.Ends, int32(len(b.Data)))
}

// addText is add for text: bytes that are no UTF-8 become U+FFFD.
func (b *Bytes) addText(v []byte) {
	if !utf8.Valid(v) {
		v = bytes.ToValidUTF8(v, []byte("\ufffd"))
	}
	b.add(v)
}

// Bitmap tells which values are not null: bit i%8 of byte i/8, as in Arrow and DuckDB.
type Bitmap struct {
	Bits  []byte
	Len   int
	Nulls int
}

func (m *Bitmap) reset() { *m = Bitmap{Bits: m.Bits[:0]} }

func (m *Bitmap) add(valid bool) {
	if m.Len%8 == 0 {
		m.Bits = append(m.Bits, 0)
	}
	if valid {
		m.Bits[m.Len/8] |= 1 << (m.Len % 8)
	} else {
		m.Nulls++
	}
	m.Len++
}

// Rows holds rows as columns. Only the columns that a Reader was asked for are filled.
type Rows struct {
	Len            int
	Partitions     []int32
	Offsets        []int64
	Timestamps     []int64 // milliseconds since the epoch
	TimestampValid Bitmap
	Keys           Bytes
	Values         Bytes
	HeaderEnds     []int32 // row i has the headers [HeaderEnds[i], HeaderEnds[i+1])
	HeaderKeys     Bytes
	HeaderValues   Bytes
	LeaderEpochs   []int32
	ProducerIDs    []int64
	ProducerEpochs []int16
	ProducerValid  Bitmap
}

func (r *Rows) reset() {
	r.Len = 0
	r.Partitions = r.Partitions[:0]
	r.Offsets = r.Offsets[:0]
	r.Timestamps = r.Timestamps[:0]
	r.TimestampValid.reset()
	r.Keys.reset()
	r.Values.reset()
	r.HeaderEnds = append(r.HeaderEnds[:0], 0)
	r.HeaderKeys.reset()
	r.HeaderValues.reset()
	r.LeaderEpochs = r.LeaderEpochs[:0]
	r.ProducerIDs = r.ProducerIDs[:0]
	r.ProducerEpochs = r.ProducerEpochs[:0]
	r.ProducerValid.reset()
}

// dataBytes is the size of what has no fixed width.
func (r *Rows) dataBytes() int {
	return len(r.Keys.Data) + len(r.Values.Data) + len(r.HeaderKeys.Data) + len(r.HeaderValues.Data)
}

func (r *Rows) addHeaders(headers []record.Header) {
	for _, h := range headers {
		r.HeaderKeys.addText([]byte(h.Key))
		r.HeaderValues.add(h.Value)
	}
	r.HeaderEnds = append(r.HeaderEnds, int32(r.HeaderKeys.Len()))
}
