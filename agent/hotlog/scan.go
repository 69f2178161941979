package hotlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// scanChunk is how much a scan reads at once; a larger batch gets a buffer of its own for as long
// as it lasts.
const scanChunk = 256 << 10

// frameHeader is the part of a batch before what its length field counts.
const frameHeader = 12

var scanBuffers = sync.Pool{New: func() any {
	b := make([]byte, scanChunk)
	return &b
}}

// errTorn says that what follows is not a whole, valid batch.
var errTorn = errors.New("torn batch")

// frameSize is the size of the batch that begins with b, which holds a header at least; 0 when it
// cannot be one.
func frameSize(b []byte) int64 {
	n := int64(int32(binary.BigEndian.Uint32(b[8:])))
	if n < record.HeaderSize-frameHeader || b[16] != 2 {
		return 0
	}
	return n + frameHeader
}

func frameBase(b []byte) kafka.Offset { return kafka.Offset(binary.BigEndian.Uint64(b)) }

// batchAt is one batch that a scan came to.
type batchAt struct {
	pos  int64
	size int64
	// batch is whole where the scan validates, else its header at least. It is valid until the next
	// step.
	batch record.Batch
}

func (b batchAt) next() kafka.Offset {
	return b.batch.BaseOffset() + kafka.Offset(b.batch.LastOffsetDelta()) + 1
}

// scanner walks the batches in [pos, end) of a file.
type scanner struct {
	f        io.ReaderAt
	pos, end int64
	validate bool // read whole batches and check their CRC

	chunk    *[]byte
	buf      []byte // bytes of the file from bufPos on
	bufPos   int64
	lastSize int64
}

func newScanner(f io.ReaderAt, pos, end int64, validate bool) *scanner {
	return &scanner{f: f, pos: pos, end: end, validate: validate}
}

func (s *scanner) close() {
	if s.chunk != nil {
		scanBuffers.Put(s.chunk)
		s.chunk, s.buf = nil, nil
	}
}

// next gives the next batch, io.EOF at the end, or errTorn with the position in s.pos.
func (s *scanner) next() (batchAt, error) {
	if s.pos >= s.end {
		return batchAt{}, io.EOF
	}
	head, err := s.bytes(record.HeaderSize)
	if err != nil {
		return batchAt{}, err
	}
	size := frameSize(head)
	if size == 0 || size > s.end-s.pos {
		return batchAt{}, fmt.Errorf("at byte %d: %w", s.pos, errTorn)
	}
	out := batchAt{pos: s.pos, size: size, batch: record.Batch(head[:record.HeaderSize])}
	if s.validate {
		whole, err := s.bytes(size)
		if err != nil {
			return batchAt{}, err
		}
		out.batch = record.Batch(whole[:size])
		if err := out.batch.ValidateStored(); err != nil {
			return batchAt{}, fmt.Errorf("at byte %d: %w: %w", s.pos, errTorn, err)
		}
	}
	s.pos += size
	s.lastSize = size
	return out, nil
}

// bytes gives n or more bytes from s.pos on.
func (s *scanner) bytes(n int64) ([]byte, error) {
	if n > s.end-s.pos {
		return nil, fmt.Errorf("at byte %d: %w", s.pos, errTorn)
	}
	skip := s.pos - s.bufPos
	if skip >= 0 && int64(len(s.buf))-skip >= n {
		return s.buf[skip:], nil
	}
	if s.chunk == nil {
		s.chunk = scanBuffers.Get().(*[]byte)
	}
	want := min(max(n, s.readAhead()), s.end-s.pos)
	dst := *s.chunk
	if want > int64(len(dst)) {
		dst = make([]byte, want)
	}
	got, err := s.f.ReadAt(dst[:want], s.pos)
	if int64(got) < n {
		if err == nil || err == io.EOF {
			return nil, fmt.Errorf("at byte %d: file ends: %w", s.pos, errTorn)
		}
		return nil, err
	}
	s.buf, s.bufPos = dst[:got], s.pos
	return s.buf, nil
}

// readAhead is how much is worth reading: a header-only scan over large batches reads headers.
func (s *scanner) readAhead() int64 {
	if !s.validate && s.lastSize > scanChunk/8 {
		return record.HeaderSize
	}
	return scanChunk
}
