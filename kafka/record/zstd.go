package record

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

var zstdReaders = sync.Pool{New: func() any {
	r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("record: zstd decoder: " + err.Error())
	}
	return r
}}

// inflateZstd decodes into memory that suffices where the frames tell how much that is, and else
// again into four times as much: with a pooled buffer that is faster than to stream.
func inflateZstd(src []byte, dst *buffer, l Limits) error {
	r := zstdReaders.Get().(*zstd.Decoder)
	defer zstdReaders.Put(r)
	most, declared := zstdSize(src)
	if declared {
		// A lying size is not worth an allocation.
		most = min(most, 64*int64(len(src))+keptBytesMax)
	}
	for size := most; ; size = 4 * int64(cap(dst.b)) {
		dst.reserve(size, l)
		room := min(cap(dst.b), l.InflatedBytesMax)
		out, err := r.DecodeAll(src, dst.b[:0:room])
		switch {
		case err == nil:
			dst.b = out
			return nil
		case !declared && most > int64(room):
			return tooLarge(Zstd, l) // a block that found no room is reported as a broken one
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return err
		case room == l.InflatedBytesMax:
			return tooLarge(Zstd, l)
		}
	}
}

const (
	zstdBlockMax = 128 << 10 // what one block may inflate to (RFC 8878, 3.1.1.2.4)
	zstdSlack    = 64        // memory beyond the records that lets the decoder copy in wide steps
	zstdClaimMax = 1 << 40   // far above every limit, and its sums do not overflow
)

// zstdSize is the most that src may inflate to: the content size where the first frame declares
// one, else a bound from the headers of all blocks. The Java client and librdkafka stream, and
// declare none.
func zstdSize(src []byte) (most int64, declared bool) {
	var h zstd.Header
	if h.Decode(src) == nil && h.HasFCS {
		return int64(min(h.FrameContentSize, zstdClaimMax)), true
	}
	for len(src) > 0 && h.Decode(src) == nil {
		src = src[h.HeaderSize:]
		if h.Skippable {
			src = src[min(int64(len(src)), int64(h.SkippableSize)):]
			continue
		}
		var frame int64
		frame, src = zstdBlocks(src)
		most = min(most+frame, zstdClaimMax)
		if h.HasCheckSum {
			src = src[min(len(src), 4):]
		}
	}
	return most + zstdSlack, false
}

// zstdBlocks bounds what the blocks of one frame inflate to, and gives what follows them. Broken
// blocks are the decoder's to find.
func zstdBlocks(src []byte) (most int64, rest []byte) {
	for len(src) >= 3 && most < zstdClaimMax {
		head := uint32(binary.LittleEndian.Uint16(src)) | uint32(src[2])<<16
		last, kind, size := head&1 == 1, head>>1&3, int(head>>3)
		src = src[3:]
		switch kind {
		case 0: // raw
			most += int64(size)
		case 1: // one byte, repeated
			most, size = most+int64(size), 1
		default:
			most += zstdBlockMax
		}
		src = src[min(len(src), size):]
		if last {
			break
		}
	}
	return most, src
}
