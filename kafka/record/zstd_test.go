package record

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// streamed compresses as the Java client and librdkafka do: no frame declares its size.
func streamed(t *testing.T, data []byte, flushEach int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), flushEach)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, declared := zstdSize(out.Bytes()); declared {
		t.Fatal("the frame declares its size")
	}
	return out.Bytes()
}

// Batches of librdkafka that compressed by more than eight, to more than 16 KiB, were refused as
// corrupt: the decoder calls a block without room a broken block, not one without room.
func TestStreamedZstdInflatesWhateverItsRatio(t *testing.T) {
	for _, size := range []int{0, 1, 20_000, 50_800, 128 << 10, 128<<10 + 1, 3 << 20} {
		data := bytes.Repeat([]byte("y"), size)
		for _, flushEach := range []int{1 << 10, 64 << 10, 4 << 20} {
			src := streamed(t, data, flushEach)
			two := append(bytes.Clone(src), streamed(t, data, flushEach)...)
			for _, c := range []struct{ src, want []byte }{
				{src, data}, {two, append(bytes.Clone(data), data...)},
			} {
				var dst buffer // not pooled: its memory would hide a bound that is too small
				err := inflate(Zstd, c.src, &dst, DefaultLimits())
				if err != nil || !bytes.Equal(dst.b, c.want) {
					t.Fatalf("%d bytes flushed each %d: %d bytes, %v", size, flushEach, len(dst.b), err)
				}
			}
		}
	}
}

func TestStreamedZstdStopsAtTheLimit(t *testing.T) {
	src := streamed(t, make([]byte, 64<<20), 4<<20)
	for _, limit := range []int{0, 1, 100 << 10, 1 << 20} {
		err := inflate(Zstd, src, &buffer{}, Limits{InflatedBytesMax: limit})
		if !errors.Is(err, ErrTooLarge) {
			t.Fatalf("limit %d: %v", limit, err)
		}
	}
	for _, cut := range []int{1, 5, 9, 12, len(src) / 2, len(src) - 1} {
		if err := inflate(Zstd, src[:cut], &buffer{}, DefaultLimits()); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d: %v", cut, err)
		}
	}
}
