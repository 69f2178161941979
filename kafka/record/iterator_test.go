package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/varve-log/varve/kafka"
)

// batchWith makes a valid header over any bytes of records.
func batchWith(c Codec, count int32, records []byte) Batch {
	b := NewBuilder(None)
	b.count = count
	return b.assemble(uint16(c), records)
}

func walk(b Batch, l Limits) (records int, err error) {
	it := b.Records(l)
	defer it.Close()
	for it.Next() {
		records++
	}
	return records, it.Err()
}

func TestMalformedRecordsAreCorrupt(t *testing.T) {
	good := build(t, None, 1)[HeaderSize:]
	for name, records := range map[string][]byte{
		"nothing":               {},
		"endless varint":        bytes.Repeat([]byte{0xff}, 20),
		"length beyond the end": {0x7e, 0, 0, 0},
		"length zero":           {0},
		"negative length":       {1},
		"length only":           {12},
		"key beyond":            {12, 0, 0, 0, 0x7e, 1, 0},
		"key length -2":         {12, 0, 0, 0, 3, 1, 0},
		"negative headers":      {12, 0, 0, 0, 1, 1, 1},
		"headers beyond":        {12, 0, 0, 0, 1, 1, 0x7e},
		"null header key":       {16, 0, 0, 0, 1, 1, 2, 1, 1},
		"byte too many within":  {14, 0, 0, 0, 1, 1, 0, 9},
		"offset delta too high": {12, 0, 0, 2, 1, 1, 0},
		"negative offset delta": {12, 0, 0, 1, 1, 1, 0},
		"byte too many after":   append(slices.Clone(good), 0),
		"cut":                   good[:len(good)-1],
	} {
		if _, err := walk(batchWith(None, 1, records), DefaultLimits()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	smallest := batchWith(None, 1, []byte{12, 0, 0, 0, 1, 1, 0})
	if n, err := walk(smallest, DefaultLimits()); n != 1 || err != nil {
		t.Errorf("smallest record: %d, %v", n, err)
	}
}

func TestBrokenCompressionIsCorrupt(t *testing.T) {
	for c := Gzip; c <= Zstd; c++ {
		whole := build(t, c, 200)
		records := whole[HeaderSize:]
		for _, cut := range []int{0, 1, 3, len(records) / 2, len(records) - 1} {
			_, err := walk(batchWith(c, 200, records[:cut]), DefaultLimits())
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s cut to %d of %d bytes: %v", c, cut, len(records), err)
			}
		}
	}
}

// xerial frames blocks as the Java snappy library does.
func xerial(blocks ...[]byte) []byte {
	out := append(slices.Clone(xerialMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for _, block := range blocks {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
	}
	return out
}

func TestSnappyHasTwoFramings(t *testing.T) {
	plain := build(t, None, 30)[HeaderSize:]
	half := len(plain) / 2
	framed := xerial(s2.EncodeSnappy(nil, plain[:half]), s2.EncodeSnappy(nil, plain[half:]))
	for _, records := range [][]byte{framed, s2.EncodeSnappy(nil, plain)} {
		if n, err := walk(batchWith(Snappy, 30, records), DefaultLimits()); n != 30 || err != nil {
			t.Fatalf("%d records, %v", n, err)
		}
	}
	for _, cut := range []int{9, 15, 17, 19, 25, len(framed) - 1} {
		_, err := walk(batchWith(Snappy, 30, framed[:cut]), DefaultLimits())
		if !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", cut, err)
		}
	}
	huge := xerial([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	if _, err := walk(batchWith(Snappy, 1, huge), DefaultLimits()); err == nil {
		t.Fatal("a block that claims 4 GiB was read")
	}
}

// A megabyte of compressed zeros is a gigabyte: the limit must hold while inflating, whatever the
// frame says of its size, and a buffer from the pool that is larger than the limit must not lift
// it.
func TestBombsStopAtTheLimit(t *testing.T) {
	bomb := make([]byte, 64<<20)
	for c := Gzip; c <= Zstd; c++ {
		compressed, err := deflate(c, bomb)
		if err != nil {
			t.Fatal(err)
		}
		b := batchWith(c, 1, compressed)
		if _, err := walk(build(t, c, 40_000), DefaultLimits()); err != nil { // fills the pool
			t.Fatal(err)
		}
		for _, limit := range []int{0, 1, 100 << 10, 1 << 20} {
			if _, err := walk(b, Limits{InflatedBytesMax: limit}); !errors.Is(err, ErrTooLarge) {
				t.Fatalf("%s with a limit of %d: %v", c, limit, err)
			}
		}
	}
}

func TestLimitIsInclusive(t *testing.T) {
	size := len(build(t, None, 100)) - HeaderSize
	for c := Gzip; c <= Zstd; c++ {
		b := build(t, c, 100)
		if _, err := walk(b, Limits{InflatedBytesMax: size}); err != nil {
			t.Fatalf("%s at the limit: %v", c, err)
		}
		if _, err := walk(b, Limits{InflatedBytesMax: size - 1}); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%s a byte above the limit: %v", c, err)
		}
	}
}

func TestWalkAllocatesNothing(t *testing.T) {
	b := build(t, None, 100) // every record has a header
	var it Iterator
	it.Reset(b, DefaultLimits())
	it.Next() // makes room for the headers
	allocations := testing.AllocsPerRun(20, func() {
		it.Reset(b, DefaultLimits())
		for it.Next() {
			_ = it.Record()
		}
	})
	if it.Err() != nil || allocations > 0 {
		t.Fatalf("%v allocations, %v", allocations, it.Err())
	}
}

func TestIteratorIsReusable(t *testing.T) {
	var it Iterator
	for range 3 {
		for _, c := range []Codec{Zstd, None, LZ4, Snappy, Gzip} {
			it.Reset(build(t, c, 9), DefaultLimits())
			n := 0
			for it.Next() {
				n++
			}
			if n != 9 || it.Err() != nil {
				t.Fatalf("%s: %d records, %v", c, n, it.Err())
			}
		}
		it.Close()
		if it.Next() {
			t.Fatal("a closed iterator goes on")
		}
	}
}

func TestTimesOutOfOrder(t *testing.T) {
	times := []kafka.Timestamp{50, 20, 90, 90, 10, 60}
	for c := None; c <= Zstd; c++ {
		builder := NewBuilder(c)
		for _, ts := range times {
			builder.Append(ts, []byte("k"), nil)
		}
		b, err := builder.Build()
		if err != nil {
			t.Fatal(err)
		}
		b.SetBaseOffset(1000)
		low, high, err := b.TimestampBounds(DefaultLimits())
		if low != 10 || high != 90 || err != nil {
			t.Fatalf("%s: bounds %d..%d, %v", c, low, high, err)
		}
		for ts, want := range map[kafka.Timestamp]kafka.Offset{
			math.MinInt64: 1000, 50: 1000, 51: 1002, 90: 1002, 91: kafka.NoOffset,
		} {
			o, at, ok, err := b.FindTimestamp(ts, DefaultLimits())
			if o != want || ok != (want != kafka.NoOffset) || err != nil ||
				ok && at != times[o-1000] {
				t.Fatalf("%s: %d is at offset %d (%d), %v, %v; want %d", c, ts, o, at, ok, err, want)
			}
		}
		o, at, ok, err := b.FindMaxTimestamp(DefaultLimits())
		if o != 1002 || at != 90 || !ok || err != nil {
			t.Fatalf("%s: max at %d (%d), %v, %v", c, o, at, ok, err)
		}
		b.SetAppendTime(70)
		low, high, err = b.TimestampBounds(DefaultLimits())
		o, at, ok, err2 := b.FindMaxTimestamp(DefaultLimits())
		if low != 70 || high != 70 || o != 1000 || at != 70 || !ok || errors.Join(err, err2) != nil {
			t.Fatalf("%s: append time gives %d..%d, max at %d (%d)", c, low, high, o, at)
		}
	}
}
