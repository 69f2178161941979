package output

import (
	"bufio"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/varve-log/varve/internal/arrowjson"
)

// Format names an output format.
type Format string

// The formats.
const (
	Table   Format = "table"
	JSON    Format = "json"
	CSV     Format = "csv"
	Arrow   Format = "arrow"
	Parquet Format = "parquet"
)

// ParseFormat reads a format's name; the error lists all of them.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case Table, JSON, CSV, Arrow, Parquet:
		return f, nil
	}
	return "", fmt.Errorf("unknown output format %q: want table, json, csv, arrow or parquet", s)
}

// Binary reports whether the format is not for a terminal.
func (f Format) Binary() bool { return f == Arrow || f == Parquet }

// Options are hints; the zero value fits a file.
type Options struct {
	// Width is the terminal's width in columns, to which lines of a table are cut. 0: not cut.
	Width int
}

// Writer writes record batches of one schema.
type Writer interface {
	// Write writes a batch; it keeps no reference to it.
	Write(rec arrow.RecordBatch) error
	// Close completes and flushes the output, not the io.Writer below.
	Close() error
}

// New writes format to w. The error names a column whose type the format cannot hold.
func New(format Format, w io.Writer, schema *arrow.Schema, o Options) (Writer, error) {
	switch format {
	case Arrow:
		return newStream(w, schema), nil
	case Parquet:
		return newParquet(w, schema)
	case Table, JSON, CSV:
	default:
		_, err := ParseFormat(string(format))
		return nil, err
	}
	for _, f := range schema.Fields() {
		if err := arrowjson.Supported(f.Type); err != nil {
			return nil, fmt.Errorf("column %q: %w: cast it to VARCHAR", f.Name, err)
		}
	}
	out := bufio.NewWriterSize(w, 64<<10)
	switch format {
	case JSON:
		return newNDJSON(out, schema), nil
	case CSV:
		return newCSV(out, schema)
	}
	return newTable(out, schema, o.Width), nil
}

// style is how text formats show bytes.
var style = arrowjson.Style{EscapeBytes: true}
