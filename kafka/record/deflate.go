package record

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Encoders are pooled by level: each holds up to megabytes of tables.
var (
	zstdWriters [zstd.SpeedBestCompression + 1]sync.Pool // of *zstd.Encoder
	gzipWriters [gzip.BestCompression + 1]sync.Pool      // of *gzip.Writer; 0 is the default level
	lz4Writers  [len(lz4Levels)]sync.Pool                // of *lz4.Writer
)

// lz4Levels are the levels of the library; the first is Kafka's default, which is fast.
var lz4Levels = [...]lz4.CompressionLevel{
	lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7,
	lz4.Level8, lz4.Level9,
}

// lz4Default is the level that Kafka takes for its fast compressor.
const lz4Default = 9

// deflate compresses records at the codec's default level.
func deflate(c Codec, records []byte) ([]byte, error) { return deflateAt(c, DefaultLevel, records) }

// deflateAt compresses records; with None it returns them as they are. Snappy is one raw block.
func deflateAt(c Codec, level int, records []byte) ([]byte, error) {
	switch c {
	case None:
		return records, nil
	case Snappy:
		return s2.EncodeSnappy(nil, records), nil
	case Zstd:
		return deflateZstd(level, records)
	case Gzip:
		return deflateGzip(level, records)
	case LZ4:
		return deflateLZ4(level, records)
	}
	return nil, fmt.Errorf("%w: unknown codec %d", ErrInvalid, c)
}

func deflateZstd(level int, records []byte) ([]byte, error) {
	speed := zstd.SpeedDefault
	if level != DefaultLevel {
		speed = zstd.EncoderLevelFromZstd(level)
	}
	pool := &zstdWriters[speed]
	w, ok := pool.Get().(*zstd.Encoder)
	if !ok {
		var err error
		w, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderLevel(speed))
		if err != nil {
			return nil, err
		}
	}
	defer pool.Put(w)
	return w.EncodeAll(records, nil), nil
}

func deflateGzip(level int, records []byte) ([]byte, error) {
	at := 0
	if level > 0 {
		at = min(level, gzip.BestCompression)
	}
	pool := &gzipWriters[at]
	w, ok := pool.Get().(*gzip.Writer)
	if !ok {
		var err error
		if w, err = gzip.NewWriterLevel(nil, cmp.Or(at, gzip.DefaultCompression)); err != nil {
			return nil, err
		}
	}
	defer pool.Put(w)
	return deflateStream(w, records)
}

func deflateLZ4(level int, records []byte) ([]byte, error) {
	at := 0
	if level > 0 && level != lz4Default {
		at = min(level, len(lz4Levels)-1)
	}
	pool := &lz4Writers[at]
	w, ok := pool.Get().(*lz4.Writer)
	if !ok {
		w = lz4.NewWriter(nil)
		if err := w.Apply(lz4.CompressionLevelOption(lz4Levels[at])); err != nil {
			return nil, err
		}
	}
	defer pool.Put(w)
	return deflateStream(w, records)
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
