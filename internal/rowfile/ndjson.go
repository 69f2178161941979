package rowfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/varve-log/varve/kafka"
)

// ndjson reads one JSON object per line. Empty lines are skipped and counted.
type ndjson struct {
	file io.Closer
	name string
	r    *bufio.Reader
	o    Options
	size int64
	read atomic.Int64
	line int64
	long []byte // a line that did not fit the buffer
	key  []byte
}

var _ Reader = (*ndjson)(nil)

func newNDJSON(file io.ReadCloser, name string, size int64, o Options) *ndjson {
	n := &ndjson{file: file, name: name, o: o, size: size}
	n.r = bufio.NewReaderSize(&counter{file, func(k int) { n.read.Add(int64(k)) }}, 256<<10)
	return n
}

func (n *ndjson) Next() (Row, error) {
	for {
		line, err := n.readLine()
		if err != nil {
			return Row{}, err
		}
		n.line++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return n.row(line)
		}
	}
}

// readLine returns the next line, which may be longer than the buffer.
func (n *ndjson) readLine() ([]byte, error) {
	line, err := n.r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return n.lineEnd(line, err)
	}
	n.long = append(n.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(n.long) > LineBytesMax {
			return nil, fmt.Errorf("%s: line %d is longer than %d MiB: split the object: %w",
				n.name, n.line+1, LineBytesMax>>20, ErrUnreadable)
		}
		line, err = n.r.ReadSlice('\n')
		n.long = append(n.long, line...)
	}
	return n.lineEnd(n.long, err)
}

func (n *ndjson) lineEnd(line []byte, err error) ([]byte, error) {
	if err == nil || errors.Is(err, io.EOF) && len(line) > 0 {
		return line, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	return nil, fmt.Errorf("read %s: %w", n.name, err)
}

func (n *ndjson) row(line []byte) (Row, error) {
	if line[0] != '{' || !json.Valid(line) {
		return Row{}, fmt.Errorf("%s: line %d is not a JSON object: %.60q: %w",
			n.name, n.line, line, ErrUnreadable)
	}
	row := Row{Number: n.line, Value: line, Timestamp: kafka.NoTimestamp}
	if n.o.Key != "" {
		v := member(line, n.o.Key)
		if v == nil {
			return Row{}, fmt.Errorf("%s: line %d has no field %q for the key: %w",
				n.name, n.line, n.o.Key, ErrUnreadable)
		}
		n.key, row.Key = keyText(n.key[:0], v)
	}
	if n.o.Timestamp == "" {
		return row, nil
	}
	v := member(line, n.o.Timestamp)
	if v == nil {
		return Row{}, fmt.Errorf("%s: line %d has no field %q for the timestamp: %w",
			n.name, n.line, n.o.Timestamp, ErrUnreadable)
	}
	var err error
	if row.Timestamp, err = parseTimestamp(v); err != nil {
		err = fmt.Errorf("%s: line %d: %w: %w", n.name, n.line, err, ErrUnreadable)
	}
	return row, err
}

func (n *ndjson) Progress() Progress {
	return Progress{Done: n.read.Load(), Total: n.size, Unit: "bytes"}
}

func (n *ndjson) Close() error { return n.file.Close() }

// keyText appends the key's text to buf; a null value has no key.
func keyText(buf, value []byte) (grown, key []byte) {
	switch {
	case string(value) == "null":
		return buf, nil
	case value[0] != '"':
		buf = append(buf, value...)
	case bytes.IndexByte(value, '\\') < 0:
		buf = append(buf, value[1:len(value)-1]...)
	default:
		var s string
		_ = json.Unmarshal(value, &s) // the line was valid
		buf = append(buf, s...)
	}
	if buf == nil {
		buf = []byte{}
	}
	return buf, buf
}
