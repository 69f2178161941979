package keys

import (
	"fmt"
	"testing"
	"time"

	"github.com/varve-log/varve/kafka/record"
)

// BenchmarkClean runs both passes over 64 MiB of 1 KiB records in batches of 16, a quarter of which
// survive.
func BenchmarkClean(b *testing.B) {
	value := make([]byte, 1000)
	var batches []record.Batch
	var total int64
	for i := 0; total < 64<<20; {
		bld := record.NewBuilder(record.None)
		for range 16 {
			bld.Append(1, fmt.Appendf(nil, "key-%08d", i%16000), value)
			i += 7919
		}
		batch, err := bld.Build()
		if err != nil {
			b.Fatal(err)
		}
		batches = append(batches, batch)
		total += int64(batch.Size())
	}
	m := NewMap(128<<20, 0.9)
	out := make([]byte, 0, 1<<20)
	b.SetBytes(total)
	for b.Loop() {
		x := NewIndexer(m, 0, nil, record.DefaultLimits())
		for _, batch := range batches {
			if full, err := x.Add(batch); full || err != nil {
				b.Fatal(full, err)
			}
		}
		f := NewFilter(Options{Map: m, DeleteRetention: time.Hour, Limits: record.DefaultLimits()})
		for _, batch := range batches {
			var err error
			if out, err = f.Append(out[:0], batch, false); err != nil {
				b.Fatal(err)
			}
		}
	}
}
