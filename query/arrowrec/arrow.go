package arrowrec

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Schema is the schema of the record batches that Next returns.
func (r *Reader) Schema() *arrow.Schema { return Schema(r.o.Columns, r.o.Format) }

// Next returns the next at most RowsMax rows as an Arrow record batch of Schema, or io.EOF.
func (r *Reader) Next(ctx context.Context) (arrow.RecordBatch, error) {
	rows := sized(&r.rows)
	if err := r.Fill(ctx, rows, RowsMax); err != nil {
		return nil, err
	}
	r.rows = *rows
	return rows.Arrow(r.Schema()), nil
}

// sized is empty rows with room for as many bytes as the previous ones held.
func sized(like *Rows) *Rows {
	var r Rows
	r.Keys.Data = make([]byte, 0, len(like.Keys.Data)+len(like.Keys.Data)/8)
	r.Values.Data = make([]byte, 0, len(like.Values.Data)+len(like.Values.Data)/8)
	return &r
}

// Arrow is the rows as a record batch of a schema made by Schema from columns that were filled. It
// takes the slices over: r must not be filled again.
func (r *Rows) Arrow(schema *arrow.Schema) arrow.RecordBatch {
	columns := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		columns[i] = r.column(f)
	}
	return array.NewRecordBatch(schema, columns, int64(r.Len))
}

func (r *Rows) column(f arrow.Field) arrow.Array {
	var data *array.Data
	switch f.Name {
	case Partition.Name():
		data = fixed(f.Type, r.Partitions, nil)
	case Offset.Name():
		data = fixed(f.Type, r.Offsets, nil)
	case Timestamp.Name():
		data = fixed(f.Type, r.Timestamps, &r.TimestampValid)
	case Key.Name():
		data = r.Keys.data(f.Type)
	case Value.Name():
		data = r.Values.data(f.Type)
	case Headers.Name():
		data = r.headers(f.Type)
	case LeaderEpoch.Name():
		data = fixed(f.Type, r.LeaderEpochs, nil)
	case ProducerID.Name():
		data = fixed(f.Type, r.ProducerIDs, &r.ProducerValid)
	case ProducerEpoch.Name():
		data = fixed(f.Type, r.ProducerEpochs, &r.ProducerValid)
	}
	return array.MakeFromData(data)
}

func (r *Rows) headers(t arrow.DataType) *array.Data {
	structs := array.NewData(headerType, r.HeaderKeys.Len(), []*memory.Buffer{nil},
		[]arrow.ArrayData{
			r.HeaderKeys.data(headerType.Field(0).Type), r.HeaderValues.data(headerType.Field(1).Type),
		}, 0, 0)
	return array.NewData(t, r.Len, []*memory.Buffer{nil, buffer(r.HeaderEnds)},
		[]arrow.ArrayData{structs}, 0, 0)
}

func fixed[T int16 | int32 | int64](t arrow.DataType, values []T, valid *Bitmap) *array.Data {
	bits, nulls := valid.buffer()
	return array.NewData(t, len(values), []*memory.Buffer{bits, buffer(values)}, nil, nulls, 0)
}

func (b *Bytes) data(t arrow.DataType) *array.Data {
	bits, nulls := b.Valid.buffer()
	return array.NewData(t, b.Len(),
		[]*memory.Buffer{bits, buffer(b.Ends), memory.NewBufferBytes(b.Data)}, nil, nulls, 0)
}

// buffer is the bitmap as Arrow wants it: none when nothing is null.
func (m *Bitmap) buffer() (bits *memory.Buffer, nulls int) {
	if m == nil || m.Nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(m.Bits), m.Nulls
}

func buffer[T int16 | int32 | int64](values []T) *memory.Buffer {
	return memory.NewBufferBytes(arrow.GetBytes(values))
}
