package record

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/varve-log/varve/kafka"
)

func build(t testing.TB, c Codec, n int) Batch {
	t.Helper()
	b := NewBuilder(c)
	for i := range n {
		b.Append(kafka.Timestamp(1000+i), fmt.Appendf(nil, "k%d", i),
			bytes.Repeat([]byte{byte(i)}, 100), Header{Key: "h", Value: []byte{1}})
	}
	got, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEveryCodecGivesItsRecordsBack(t *testing.T) {
	for c := None; c <= Zstd; c++ {
		b := build(t, c, 50)
		b.SetBaseOffset(100)
		b.SetLeaderEpoch(7)
		if err := errors.Join(b.Validate(), b.ValidateRecords(DefaultLimits())); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		it := b.Records(DefaultLimits())
		n := 0
		for ; it.Next(); n++ {
			r := it.Record()
			if r.Offset != kafka.Offset(100+n) || r.Timestamp != kafka.Timestamp(1000+n) ||
				string(r.Key) != fmt.Sprintf("k%d", n) || len(r.Value) != 100 || len(r.Headers) != 1 {
				t.Fatalf("%s: record %d is %+v", c, n, r)
			}
		}
		if it.Err() != nil || n != 50 {
			t.Fatalf("%s: %d records, %v", c, n, it.Err())
		}
		it.Close()
	}
}

func TestInflationIsBounded(t *testing.T) {
	for c := Gzip; c <= Zstd; c++ {
		b := NewBuilder(c)
		b.Append(0, nil, make([]byte, 1<<20))
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		err = batch.ValidateRecords(Limits{InflatedBytesMax: 64 << 10})
		if !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%s: %v, want ErrTooLarge", c, err)
		}
	}
}

func TestAppendTimeIsEveryRecordsTime(t *testing.T) {
	b := build(t, None, 3)
	b.SetAppendTime(9999)
	if err := b.Validate(); err != nil {
		t.Fatal(err)
	}
	it := b.Records(DefaultLimits())
	defer it.Close()
	for it.Next() {
		if it.Record().Timestamp != 9999 {
			t.Fatalf("timestamp %d", it.Record().Timestamp)
		}
	}
}
