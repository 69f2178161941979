package rowfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/varve-log/varve/internal/arrowjson"
	"github.com/varve-log/varve/kafka"
)

// parquetBatchRows is how many rows are decoded at once.
const parquetBatchRows = 8192

// style takes timestamps without a zone as UTC.
var style = arrowjson.Style{AssumeUTC: true}

// parquetRows reads a Parquet file batch by batch and writes each row from the decoded columns.
type parquetRows struct {
	file    *os.File
	name    string
	pq      *file.Reader
	records pqarrow.RecordReader
	schema  *arrow.Schema
	fields  [][]byte // `"name":` of each column
	key     int      // column of the key, or -1
	time    int      // column of the timestamp, or -1

	columns []arrowjson.Appender // of the current batch
	keys    arrowjson.Appender
	times   func(i int) (kafka.Timestamp, error)
	row     int // next row of the current batch
	rows    int // rows of the current batch
	done    atomic.Int64
	value   []byte
	keyText []byte
}

var _ Reader = (*parquetRows)(nil)

func newParquet(f *os.File, name string, o Options) (r *parquetRows, err error) {
	defer recovered(name, &err)
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	props.BufferSize = 256 << 10
	pq, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return nil, unreadable(name, err)
	}
	fr, err := pqarrow.NewFileReader(pq,
		pqarrow.ArrowReadProperties{BatchSize: parquetBatchRows}, memory.DefaultAllocator)
	if err != nil {
		return nil, unreadable(name, err)
	}
	p := &parquetRows{file: f, name: name, pq: pq}
	if p.schema, err = fr.Schema(); err != nil {
		return nil, unreadable(name, err)
	}
	if err := p.findColumns(o); err != nil {
		return nil, err
	}
	if p.records, err = fr.GetRecordReader(context.Background(), nil, nil); err != nil {
		return nil, unreadable(name, err)
	}
	return p, nil
}

func (p *parquetRows) findColumns(o Options) (err error) {
	var names []string
	for _, f := range p.schema.Fields() {
		if err := arrowjson.Supported(f.Type); err != nil {
			return fmt.Errorf("%s: column %q: %w: cast it, or leave it out: %w",
				p.name, f.Name, err, ErrUnreadable)
		}
		names = append(names, f.Name)
		p.fields = append(p.fields, append(arrowjson.AppendString(nil, f.Name), ':'))
	}
	if p.key, err = columnOf(p.name, "key", o.Key, names); err != nil {
		return err
	}
	p.time, err = columnOf(p.name, "timestamp", o.Timestamp, names)
	return err
}

func (p *parquetRows) Next() (row Row, err error) {
	if p.row == p.rows {
		if err := p.nextBatch(); err != nil {
			return Row{}, err
		}
	}
	i := p.row
	p.row++
	row = Row{Number: p.done.Add(1), Timestamp: kafka.NoTimestamp}
	v := append(p.value[:0], '{')
	for c, app := range p.columns {
		if c > 0 {
			v = append(v, ',')
		}
		v = app(append(v, p.fields[c]...), i)
	}
	p.value = append(v, '}')
	row.Value = p.value
	if p.keys != nil {
		p.keyText = p.keys(p.keyText[:0], i)
		p.keyText, row.Key = keyOf(p.keyText)
	}
	if p.times != nil {
		if row.Timestamp, err = p.times(i); err != nil {
			err = fmt.Errorf("%s: row %d: %w: %w", p.name, row.Number, err, ErrUnreadable)
		}
	}
	return row, err
}

// keyOf strips the quotes of JSON text in place. What it leaves in buf is not used again.
func keyOf(buf []byte) (grown, key []byte) {
	n := len(buf)
	if n >= 2 && buf[0] == '"' {
		_, key = keyText(nil, buf)
		return buf, key
	}
	if string(buf) == "null" {
		return buf, nil
	}
	return buf, buf
}

func (p *parquetRows) nextBatch() (err error) {
	defer recovered(p.name, &err)
	for {
		rec, err := p.records.Read()
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err != nil {
			return unreadable(p.name, err)
		}
		if rec.NumRows() > 0 {
			p.use(rec)
			return nil
		}
	}
}

func (p *parquetRows) use(rec arrow.RecordBatch) {
	p.columns = p.columns[:0]
	for _, col := range rec.Columns() {
		p.columns = append(p.columns, arrowjson.Of(col, style))
	}
	if p.key >= 0 {
		p.keys = p.columns[p.key]
	}
	if p.time >= 0 {
		p.times = timesOf(rec.Column(p.time), p.columns[p.time])
	}
	p.row, p.rows = 0, int(rec.NumRows())
}

// timesOf reads a column as record timestamps.
func timesOf(col arrow.Array, text arrowjson.Appender) func(i int) (kafka.Timestamp, error) {
	if ts, ok := col.(*array.Timestamp); ok {
		unit := ts.DataType().(*arrow.TimestampType).Unit
		return func(i int) (kafka.Timestamp, error) {
			if ts.IsNull(i) {
				return kafka.NoTimestamp, nil
			}
			return validTimestamp(kafka.TimestampOf(ts.Value(i).ToTime(unit)))
		}
	}
	var buf []byte
	return func(i int) (kafka.Timestamp, error) {
		buf = text(buf[:0], i)
		return parseTimestamp(buf)
	}
}

func (p *parquetRows) Progress() Progress {
	return Progress{Done: p.done.Load(), Total: p.pq.NumRows(), Unit: "rows"}
}

func (p *parquetRows) Close() error {
	p.records.Release()
	return errors.Join(ignoreClosed(p.pq.Close()), ignoreClosed(p.file.Close()))
}

// ignoreClosed is for the file that the Parquet reader may have closed itself.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func unreadable(name string, err error) error {
	return fmt.Errorf("%s is not a readable Parquet file: %w; write it again, or check that it was "+
		"copied whole: %w", name, err, ErrUnreadable)
}

// recovered turns a panic of the decoder, which some broken files provoke, into an error.
func recovered(name string, err *error) {
	if r := recover(); r != nil {
		*err = unreadable(name, fmt.Errorf("decode: %v", r))
	}
}
