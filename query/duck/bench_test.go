//go:build cgo

package duck

import (
	"fmt"
	"testing"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query/table"
	"github.com/varve-log/varve/query/table/tabletest"
)

// million is a topic of 1,000,000 JSON records of about 90 bytes in 5 partitions.
func million(b *testing.B, codec record.Codec) *tabletest.Source {
	b.Helper()
	src := tabletest.New()
	src.AddTopic("flights", 5, table.JSON)
	origins := []string{"ATL", "LAX", "ORD", "SFO", "DFW", "PHX", "LAS"}
	build := record.NewBuilder(codec)
	for p := range int32(5) {
		n := 0
		for range 10 {
			var batches []record.Batch
			for range 20 {
				build.Reset()
				for range 1000 {
					o := origins[n%7]
					v := fmt.Appendf(nil, `{"date":"2001-01-01T00:01:00Z","delay":%d,"distance":%d,"origin":%q,`+
						`"destination":%q}`, n%100, n%3000, o, origins[n%5])
					build.Append(kafka.Timestamp(testStart+n*1000), []byte(o), v)
					n++
				}
				batch, err := build.Build()
				if err != nil {
					b.Fatal(err)
				}
				batches = append(batches, batch)
			}
			src.AddSegment("flights", p, batches...)
		}
	}
	return src
}

func BenchmarkMillion(b *testing.B) {
	for _, codec := range []record.Codec{record.None, record.Snappy, record.Zstd} {
		src := million(b, codec)
		db := open(b, src)
		for _, q := range []struct{ name, statement string }{
			{"count", "SELECT count(*) FROM flights"},
			{"offset", `SELECT "partition", max("offset") FROM flights GROUP BY ALL`},
			{"timestamp", `SELECT min("timestamp"), max("timestamp") FROM flights`},
			{"key", "SELECT key, count(*) FROM flights GROUP BY key"},
			{"value", "SELECT sum(length(value::VARCHAR)) FROM flights"},
			{"json", "SELECT value->>'origin' AS o, count(*) FROM flights GROUP BY o"},
			{"all", `SELECT * FROM flights`},
		} {
			b.Run(codec.String()+"/"+q.name, func(b *testing.B) {
				for b.Loop() {
					drainRows(b, db, q.statement)
				}
				b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

func drainRows(b *testing.B, db *DB, statement string) {
	r, err := db.Query(b.Context(), statement)
	if err != nil {
		b.Fatal(err)
	}
	for {
		rec, err := r.Next(b.Context())
		if err != nil {
			break
		}
		rec.Release()
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
