package output

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Bounds of a Parquet row group, which is held in memory until it is full.
const (
	rowGroupRowsMax  = 1 << 20
	rowGroupBytesMax = 64 << 20
)

type stream struct{ w *ipc.Writer }

func newStream(w io.Writer, schema *arrow.Schema) *stream {
	return &stream{ipc.NewWriter(w, ipc.WithSchema(schema))}
}

func (s *stream) Write(rec arrow.RecordBatch) error { return s.w.Write(rec) }

func (s *stream) Close() error { return s.w.Close() }

type parquetFile struct {
	w    *pqarrow.FileWriter
	out  io.Writer
	rows int64 // of the open row group
}

func newParquet(w io.Writer, schema *arrow.Schema) (*parquetFile, error) {
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithMaxRowGroupLength(rowGroupRowsMax))
	// The writer would close what it is given.
	fw, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{w}, props,
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, fmt.Errorf("this result cannot be written as Parquet: %w: cast the column", err)
	}
	return &parquetFile{w: fw, out: w}, nil
}

func (p *parquetFile) Write(rec arrow.RecordBatch) error {
	if p.rows > 0 && p.w.RowGroupTotalBytesWritten() >= rowGroupBytesMax {
		if err := p.w.NewBufferedRowGroupChecked(); err != nil {
			return fmt.Errorf("write parquet row group: %w", err)
		}
		p.rows = 0
	}
	p.rows += rec.NumRows()
	if err := p.w.WriteBuffered(rec); err != nil {
		return fmt.Errorf("write parquet: %w", err)
	}
	return nil
}

func (p *parquetFile) Close() error { return p.w.Close() }
