package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/pierrec/lz4/v4"
)

// Limits bound what reading a batch may cost.
type Limits struct {
	// InflatedBytesMax is the most bytes that the records of one batch may inflate to.
	InflatedBytesMax int
}

// DefaultLimits allow 256 MiB, more than twice the largest request a broker takes by default.
func DefaultLimits() Limits { return Limits{InflatedBytesMax: 256 << 20} }

// keptBytesMax is the largest buffer that goes back to the pool.
const keptBytesMax = 4 << 20

// keptBytesMin is the smallest buffer worth having.
const keptBytesMin = 16 << 10

// buffer is pooled memory for inflated records.
type buffer struct{ b []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (b *buffer) free() {
	if cap(b.b) <= keptBytesMax {
		buffers.Put(b)
	}
}

// inflate appends what src holds to dst.b[:0].
func inflate(c Codec, src []byte, dst *buffer, l Limits) error {
	dst.b = dst.b[:0]
	var err error
	switch c {
	case Gzip:
		err = inflateGzip(src, dst, l)
	case Snappy:
		err = inflateSnappy(src, dst, l)
	case LZ4:
		err = inflateLZ4(src, dst, l)
	case Zstd:
		err = inflateZstd(src, dst, l)
	default:
		return fmt.Errorf("%w: unknown codec %d", ErrInvalid, c)
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return fmt.Errorf("%w: inflate %s: %w", ErrCorrupt, c, err)
	}
	return err
}

func tooLarge(c Codec, l Limits) error {
	return fmt.Errorf("%w of %d bytes (%s)", ErrTooLarge, l.InflatedBytesMax, c)
}

// reserve makes room for want bytes, at least for a few, at most for what the limit allows.
func (b *buffer) reserve(want int64, l Limits) {
	want = min(max(want, keptBytesMin), int64(l.InflatedBytesMax))
	if int64(cap(b.b)) < want {
		b.b = make([]byte, 0, want)
	}
	b.b = b.b[:0]
}

// drain reads r to its end into dst, up to the limit.
func drain(r io.Reader, c Codec, dst *buffer, l Limits) error {
	for {
		if len(dst.b) == cap(dst.b) {
			dst.b = slices.Grow(dst.b, max(len(dst.b), keptBytesMin))
		}
		n, err := r.Read(dst.b[len(dst.b):cap(dst.b)])
		dst.b = dst.b[:len(dst.b)+n]
		if len(dst.b) > l.InflatedBytesMax {
			return tooLarge(c, l)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

func inflateGzip(src []byte, dst *buffer, l Limits) error {
	r := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(r)
	if err := r.Reset(bytes.NewReader(src)); err != nil {
		return err
	}
	return drain(r, Gzip, dst, l)
}

var lz4Readers = sync.Pool{New: func() any { return lz4.NewReader(nil) }}

func inflateLZ4(src []byte, dst *buffer, l Limits) error {
	r := lz4Readers.Get().(*lz4.Reader)
	defer lz4Readers.Put(r)
	r.Reset(bytes.NewReader(src))
	return drain(r, LZ4, dst, l)
}

// xerialMagic begins the framing of the Java snappy library, which Java clients and librdkafka
// write; others write one plain block.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// xerialHeader is the magic, a version and a lowest compatible version.
const xerialHeader = 16

func inflateSnappy(src []byte, dst *buffer, l Limits) error {
	if !bytes.HasPrefix(src, xerialMagic) {
		return appendSnappyBlock(src, dst, l)
	}
	if len(src) < xerialHeader {
		return io.ErrUnexpectedEOF
	}
	for src = src[xerialHeader:]; len(src) > 0; {
		if len(src) < 4 {
			return io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return io.ErrUnexpectedEOF
		}
		if err := appendSnappyBlock(src[:n], dst, l); err != nil {
			return err
		}
		src = src[n:]
	}
	return nil
}

func appendSnappyBlock(src []byte, dst *buffer, l Limits) error {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return err
	}
	have := len(dst.b)
	if n > l.InflatedBytesMax-have {
		return tooLarge(Snappy, l)
	}
	// A block of m bytes cannot hold more than about 64 m: a lying length is not worth an
	// allocation.
	if n > 64*len(src)+64 {
		return fmt.Errorf("snappy block of %d bytes claims %d", len(src), n)
	}
	if cap(dst.b)-have < n {
		grown := make([]byte, have, max(2*cap(dst.b), have+n))
		copy(grown, dst.b)
		dst.b = grown
	}
	out, err := s2.Decode(dst.b[have:have+n], src)
	if err != nil {
		return err
	}
	if len(out) != n {
		return io.ErrUnexpectedEOF
	}
	dst.b = dst.b[:have+n]
	return nil
}
