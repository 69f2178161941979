package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/rowfile"
	"github.com/varve-log/varve/kafka"
)

const (
	lineBytesMax = 64 << 20
	lineBuffer   = 1 << 20
	slabBytes    = 1 << 20
	slabRecords  = 1024
)

// recordSource gives the records to append.
type recordSource interface {
	// next fills r with memory of s, or returns io.EOF.
	next(r *kgo.Record, s *slab) error
	// part is how much of the source was read, from 0 to 1; negative if it cannot be known.
	part() float64
	close()
}

// slab hands out memory in large pieces: records are many and small.
type slab struct {
	bytes   []byte
	records []kgo.Record
}

func (s *slab) record() *kgo.Record {
	if len(s.records) == 0 {
		s.records = make([]kgo.Record, slabRecords)
	}
	r := &s.records[0]
	s.records = s.records[1:]
	return r
}

// copy keeps b; nil stays nil.
func (s *slab) copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	if cap(s.bytes)-len(s.bytes) < len(b) {
		s.bytes = make([]byte, 0, max(slabBytes, len(b)))
	}
	from := len(s.bytes)
	s.bytes = append(s.bytes, b...)
	return s.bytes[from:len(s.bytes):len(s.bytes)]
}

func (a *app) openSource(cmd *cli.Command) (recordSource, error) {
	path := cmd.String("file")
	if path == "" {
		for _, flag := range []string{"key", "timestamp", "format"} {
			if cmd.IsSet(flag) {
				return nil, usagef(cmd, "--%s needs --file", flag).withHint(
					"lines of stdin have no columns; see --key-separator")
			}
		}
		return &lineSource{
			in: bufio.NewReaderSize(a.stdin, lineBuffer), separator: []byte(cmd.String("key-separator")),
		}, nil
	}
	if cmd.IsSet("key-separator") {
		return nil, usagef(cmd, "--key-separator is for lines of stdin").withHint(
			"name the rows' key column with --key")
	}
	rows, err := rowfile.Open(path, rowfile.Options{
		Format: cmd.String("format"), Key: cmd.String("key"), Timestamp: cmd.String("timestamp"),
	})
	if err != nil {
		return nil, err
	}
	return &rowSource{rows: rows}, nil
}

// rowSource gives the rows of a file.
type rowSource struct{ rows rowfile.Reader }

func (s *rowSource) next(r *kgo.Record, mem *slab) error {
	row, err := s.rows.Next()
	if err != nil {
		return err
	}
	r.Key, r.Value = mem.copy(row.Key), mem.copy(row.Value)
	if row.Timestamp != kafka.NoTimestamp {
		r.Timestamp = time.UnixMilli(int64(row.Timestamp))
	}
	return nil
}

func (s *rowSource) part() float64 {
	p := s.rows.Progress()
	if p.Total <= 0 {
		return -1
	}
	return float64(p.Done) / float64(p.Total)
}

func (s *rowSource) close() { _ = s.rows.Close() }

// lineSource gives the lines of a stream.
type lineSource struct {
	in        *bufio.Reader
	separator []byte
	line      int64
	long      []byte
}

func (s *lineSource) next(r *kgo.Record, mem *slab) error {
	line, err := s.read()
	if err != nil {
		return err
	}
	s.line++
	if len(s.separator) == 0 {
		r.Value = mem.copy(line)
		return nil
	}
	key, value, found := bytes.Cut(line, s.separator)
	if !found {
		return fmt.Errorf("line %d has no key separator %q; nothing after it was appended",
			s.line, s.separator)
	}
	r.Key, r.Value = mem.copy(key), mem.copy(value)
	return nil
}

// read returns a line without its end, valid until the next call.
func (s *lineSource) read() ([]byte, error) {
	s.long = s.long[:0]
	for {
		piece, err := s.in.ReadSlice('\n')
		if err == nil && len(s.long) == 0 {
			return trimLineEnd(piece), nil
		}
		s.long = append(s.long, piece...)
		switch {
		case len(s.long) > lineBytesMax:
			return nil, fmt.Errorf("line %d is longer than %d bytes", s.line+1, lineBytesMax)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(s.long) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("read stdin: %w", err)
		}
		return trimLineEnd(s.long), nil
	}
}

func trimLineEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}

func (s *lineSource) part() float64 { return -1 }

func (s *lineSource) close() {}
