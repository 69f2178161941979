package record

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// deflate compresses records; with None it returns them as they are.
func deflate(c Codec, records []byte) ([]byte, error) {
	switch c {
	case None:
		return records, nil
	case Snappy:
		return s2.EncodeSnappy(nil, records), nil
	case Zstd:
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		out := w.EncodeAll(records, nil)
		return out, w.Close()
	case Gzip:
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(records); err != nil {
			return nil, err
		}
		err := w.Close()
		return out.Bytes(), err
	case LZ4:
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		if _, err := w.Write(records); err != nil {
			return nil, err
		}
		err := w.Close()
		return out.Bytes(), err
	}
	return nil, fmt.Errorf("%w: unknown codec %d", ErrInvalid, c)
}
