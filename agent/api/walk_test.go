package api

import (
	"testing"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// FuzzWalk: the walk accepts exactly what the iterator of kafka/record accepts.
func FuzzWalk(f *testing.F) {
	b := record.NewBuilder(record.None)
	b.Append(5, []byte("k"), nil, record.Header{Key: "h", Value: []byte("v")}, record.Header{Key: "n"})
	b.Append(9, nil, make([]byte, 100))
	batch, err := b.Build()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(batch[record.HeaderSize:]), byte(2))
	f.Add([]byte{}, byte(0))
	f.Add([]byte{14, 0, 0, 0, 1, 1, 0, 0}, byte(1))
	f.Fuzz(func(t *testing.T, records []byte, count byte) {
		whole := append(make(record.Batch, record.HeaderSize), records...)
		whole[60], whole[26] = count, count-1
		if count == 0 {
			return
		}
		w := walk{recordRules: recordRules{low: -forever, high: forever, errs: new(recordErrors)}}
		got := w.check(records, int32(count)).code == codeNone
		it := whole.Records(record.DefaultLimits())
		defer it.Close()
		want := true
		newest := kafka.NoTimestamp
		for i := kafka.Offset(0); it.Next(); i++ {
			want = want && it.Record().Offset == i
			newest = max(newest, it.Record().Timestamp)
		}
		if want = want && it.Err() == nil; got != want {
			t.Errorf("walk %v, iterator %v (%v)", got, want, it.Err())
		}
		if got && w.newest != newest {
			t.Errorf("newest %d, iterator %d", w.newest, newest)
		}
	})
}
