package record

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Encoders are pooled: each holds up to megabytes of tables.
var (
	zstdWriters = sync.Pool{New: func() any {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("record: zstd encoder: " + err.Error())
		}
		return w
	}}
	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	lz4Writers  = sync.Pool{New: func() any { return lz4.NewWriter(nil) }}
)

// deflate compresses records; with None it returns them as they are. Snappy is one raw block.
func deflate(c Codec, records []byte) ([]byte, error) {
	switch c {
	case None:
		return records, nil
	case Snappy:
		return s2.EncodeSnappy(nil, records), nil
	case Zstd:
		w := zstdWriters.Get().(*zstd.Encoder)
		defer zstdWriters.Put(w)
		return w.EncodeAll(records, nil), nil
	case Gzip:
		w := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(w)
		return deflateStream(w, records)
	case LZ4:
		w := lz4Writers.Get().(*lz4.Writer)
		defer lz4Writers.Put(w)
		return deflateStream(w, records)
	}
	return nil, fmt.Errorf("%w: unknown codec %d", ErrInvalid, c)
}

// resetter is what gzip and lz4 writers have in common.
type resetter interface {
	io.WriteCloser
	Reset(w io.Writer)
}

func deflateStream(w resetter, records []byte) ([]byte, error) {
	var out bytes.Buffer
	w.Reset(&out)
	if _, err := w.Write(records); err != nil {
		return nil, err
	}
	err := w.Close()
	return out.Bytes(), err
}
