package rowfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"github.com/varve-log/varve/internal/arrowjson"
	"github.com/varve-log/varve/kafka"
)

// csvRows reads RFC 4180 rows under a header line.
type csvRows struct {
	file    io.Closer
	name    string
	r       *csv.Reader
	size    int64
	read    atomic.Int64
	number  int64
	fields  [][]byte // `"name":` of each column
	key     int      // column of the key, or -1
	time    int      // column of the timestamp, or -1
	value   []byte
	keyText []byte
}

var _ Reader = (*csvRows)(nil)

func newCSV(file io.ReadCloser, name string, size int64, o Options) (*csvRows, error) {
	c := &csvRows{file: file, name: name, size: size}
	in := bufio.NewReaderSize(&counter{file, func(k int) { c.read.Add(int64(k)) }}, 256<<10)
	if bom, _ := in.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = in.Discard(3)
	}
	c.r = csv.NewReader(in)
	c.r.ReuseRecord = true
	header, err := c.r.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s is empty: want a header line with column names: %w",
			name, ErrUnreadable)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read the header line: %w: %w", name, err, ErrUnreadable)
	}
	header = slices.Clone(header)
	for _, h := range header {
		c.fields = append(c.fields, append(arrowjson.AppendString(nil, h), ':'))
	}
	if c.key, err = columnOf(name, "key", o.Key, header); err != nil {
		return nil, err
	}
	c.time, err = columnOf(name, "timestamp", o.Timestamp, header)
	return c, err
}

// columnOf finds a column by name; -1 when none is wanted.
func columnOf(file, what, column string, header []string) (int, error) {
	if column == "" {
		return -1, nil
	}
	i := slices.Index(header, column)
	if i < 0 {
		return 0, unknownColumn(file, what, column, header)
	}
	return i, nil
}

func (c *csvRows) Next() (Row, error) {
	cells, err := c.r.Read()
	if errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	}
	if err != nil {
		return Row{}, fmt.Errorf("%s: %w: %w", c.name, err, ErrUnreadable)
	}
	c.number++
	c.value = append(c.value[:0], '{')
	for i, cell := range cells {
		if i > 0 {
			c.value = append(c.value, ',')
		}
		c.value = appendCell(append(c.value, c.fields[i]...), cell)
	}
	c.value = append(c.value, '}')
	if len(c.value) > LineBytesMax {
		return Row{}, fmt.Errorf("%s: row %d is larger than %d MiB: %w",
			c.name, c.number, LineBytesMax>>20, ErrUnreadable)
	}
	row := Row{Number: c.number, Value: c.value, Timestamp: kafka.NoTimestamp}
	if c.key >= 0 && cells[c.key] != "" {
		c.keyText = append(c.keyText[:0], cells[c.key]...)
		row.Key = c.keyText
	}
	if c.time >= 0 {
		if row.Timestamp, err = parseTimestamp([]byte(cells[c.time])); err != nil {
			err = fmt.Errorf("%s: row %d: %w: %w", c.name, c.number, err, ErrUnreadable)
		}
	}
	return row, err
}

// appendCell appends a cell as the JSON value that it reads as.
func appendCell(dst []byte, cell string) []byte {
	switch {
	case cell == "":
		return append(dst, "null"...)
	case cell == "true", cell == "false", isNumber(cell):
		return append(dst, cell...)
	}
	return arrowjson.AppendString(dst, cell)
}

func (c *csvRows) Progress() Progress {
	return Progress{Done: c.read.Load(), Total: c.size, Unit: "bytes"}
}

func (c *csvRows) Close() error { return c.file.Close() }
