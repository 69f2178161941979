package record

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/varve-log/varve/kafka"
)

func benchBatch(b *testing.B, c Codec, n, size int) Batch {
	b.Helper()
	builder := NewBuilder(c)
	for i := range n {
		value := bytes.Repeat(fmt.Appendf(nil, "%d %x;", i, i*7919), size/3)[:size]
		builder.Append(kafka.Timestamp(1_700_000_000_000+i), fmt.Appendf(nil, "key-%d", i), value)
	}
	batch, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	return batch
}

func BenchmarkIterate(b *testing.B) {
	for c := None; c <= Zstd; c++ {
		for _, size := range []int{100, 1000} {
			b.Run(fmt.Sprintf("%s/%d", c, size), func(b *testing.B) {
				batch := benchBatch(b, c, 64<<10/size, size)
				var it Iterator
				b.SetBytes(64 << 10)
				b.ReportAllocs()
				for b.Loop() {
					it.Reset(batch, DefaultLimits())
					for it.Next() {
						_ = it.Record()
					}
					if it.Err() != nil {
						b.Fatal(it.Err())
					}
					it.Close()
				}
			})
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	batch := benchBatch(b, None, 64, 1000)
	b.SetBytes(int64(len(batch)))
	for b.Loop() {
		if err := batch.Validate(); err != nil {
			b.Fatal(err)
		}
	}
}
