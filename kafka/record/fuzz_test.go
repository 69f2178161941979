package record

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/varve-log/varve/kafka"
)

// fuzzLimits keep a bomb from slowing the fuzzer down.
var fuzzLimits = Limits{InflatedBytesMax: 1 << 20}

// FuzzBatch feeds any bytes to what a broker does with a request's records. Whatever passes
// Validate must keep its promises.
func FuzzBatch(f *testing.F) {
	for c := None; c <= Zstd; c++ {
		f.Add([]byte(build(f, c, 3)))
	}
	f.Add([]byte(NewMarker(Abort, 5, 1, 2, 3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, rest, err := Next(data)
		if err != nil {
			if len(b) > 0 || !bytes.Equal(rest, data) {
				t.Fatal("an error and a batch")
			}
			return
		}
		if len(b)+len(rest) != len(data) || len(b) < HeaderSize {
			t.Fatalf("%d bytes split into %d and %d", len(data), len(b), len(rest))
		}
		_ = b.Validate()
		fixCRC(b)
		if b.Validate() != nil {
			return
		}
		if b.BaseOffset() < 0 || b.LastOffset() < b.BaseOffset() || b.NextOffset() <= b.LastOffset() ||
			b.Count() < 1 || b.LastSequence() < kafka.NoSequence {
			t.Fatalf("valid, but offsets [%d,%d], %d records, last sequence %d",
				b.BaseOffset(), b.LastOffset(), b.Count(), b.LastSequence())
		}
		_ = b.ValidateRecords(fuzzLimits)
		b.SetBaseOffset(1 << 50)
		b.SetLeaderEpoch(7)
		b.SetAppendTime(1)
		if err := b.Validate(); err != nil {
			t.Fatalf("patched: %v", err)
		}
	})
}

// FuzzIterator feeds any bytes as records, compressed by any codec, to the walks.
func FuzzIterator(f *testing.F) {
	for c := None; c <= Zstd; c++ {
		f.Add(byte(c), int32(3), []byte(build(f, c, 3)[HeaderSize:]))
	}
	f.Add(byte(Snappy), int32(1), xerial([]byte{3, 8, 12, 0, 0}))
	f.Fuzz(func(t *testing.T, codec byte, count int32, records []byte) {
		b := batchWith(Codec(codec%8), count, records)
		binary.BigEndian.PutUint32(b[posLastOffsetDelta:], uint32(max(count, 0)))
		var it Iterator
		defer it.Close()
		n, previous := int32(0), b.BaseOffset()-1
		for it.Reset(b, fuzzLimits); it.Next(); n++ {
			r := it.Record()
			if r.Offset <= previous || r.Offset > b.LastOffset() {
				t.Fatalf("offset %d follows %d, the last is %d", r.Offset, previous, b.LastOffset())
			}
			previous = r.Offset
		}
		if it.Err() == nil && n != max(count, 0) {
			t.Fatalf("%d records of %d and no error", n, count)
		}
		low, high, err := b.TimestampBounds(fuzzLimits)
		if it.Err() == nil && (err != nil || low > high) {
			t.Fatalf("bounds %d..%d, %v", low, high, err)
		}
	})
}
