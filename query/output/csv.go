package output

import (
	"bufio"
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/varve-log/varve/internal/arrowjson"
)

type csvFile struct {
	w   *bufio.Writer
	row []byte
	buf []byte
}

func newCSV(w *bufio.Writer, schema *arrow.Schema) (*csvFile, error) {
	c := &csvFile{w: w}
	for i, f := range schema.Fields() {
		if i > 0 {
			c.row = append(c.row, ',')
		}
		c.row = appendCell(c.row, []byte(f.Name), true)
	}
	_, err := w.Write(append(c.row, '\n'))
	return c, err
}

func (c *csvFile) Write(rec arrow.RecordBatch) error {
	columns := make([]arrowjson.Appender, rec.NumCols())
	for i := range columns {
		columns[i] = arrowjson.Text(rec.Column(i), style)
	}
	for i := range int(rec.NumRows()) {
		row := c.row[:0]
		for k, app := range columns {
			if k > 0 {
				row = append(row, ',')
			}
			c.buf = app(c.buf[:0], i)
			row = appendCell(row, c.buf, rec.Column(k).IsValid(i))
		}
		c.row = append(row, '\n')
		if _, err := c.w.Write(c.row); err != nil {
			return err
		}
	}
	return nil
}

// appendCell quotes what needs quotes; empty text is quoted, so that it is not taken for null.
func appendCell(dst, cell []byte, valid bool) []byte {
	switch {
	case !valid:
		return dst
	case len(cell) > 0 && !bytes.ContainsAny(cell, ",\"\r\n"):
		return append(dst, cell...)
	}
	dst = append(dst, '"')
	for _, b := range cell {
		if b == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, b)
	}
	return append(dst, '"')
}

func (c *csvFile) Close() error { return c.w.Flush() }
