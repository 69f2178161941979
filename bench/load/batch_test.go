package load

import (
	"testing"
	"time"

	"github.com/varve-log/varve/bench/wire"
	"github.com/varve-log/varve/kafka/record"
)

func TestBatchesAreWhatABrokerAccepts(t *testing.T) {
	for _, size := range []int{1, 100, 1 << 10, 70_000} {
		e := newEncoder(size)
		for _, n := range []int{1, 2, e.fit(64 << 10), e.fit(1 << 20)} {
			raw := e.append(nil, n, time.UnixMilli(1_700_000_000_000))
			if len(raw) > e.bound(n) {
				t.Fatalf("%d records of %d bytes: %d bytes, more than the bound", n, size, len(raw))
			}
			b := record.Batch(raw)
			if err := b.Validate(); err != nil {
				t.Fatalf("%d records of %d bytes: %v", n, size, err)
			}
			if err := b.ValidateRecords(record.DefaultLimits()); err != nil {
				t.Fatalf("%d records of %d bytes: %v", n, size, err)
			}
			it := b.Records(record.DefaultLimits())
			count := 0
			for ; it.Next(); count++ {
				r := it.Record()
				if len(r.Value) != size || r.Key != nil || r.Timestamp != 1_700_000_000_000 {
					t.Fatalf("record %d is %+v", count, r)
				}
			}
			it.Close()
			var seen tally
			if err := seen.walk(raw); err != nil || count != n {
				t.Fatalf("%d of %d records, %v", count, n, err)
			}
			want := tally{
				records: int64(n), valueBytes: int64(n * size), batchBytes: int64(len(raw)), next: int64(n),
			}
			if seen != want {
				t.Fatalf("walked %+v, want %+v", seen, want)
			}
		}
	}
}

func TestABatchFitsItsLimit(t *testing.T) {
	for _, limit := range []int{64 << 10, 256 << 10, 1 << 20} {
		for _, size := range []int{100, 1 << 10} {
			e := newEncoder(size)
			if n := len(e.append(nil, e.fit(limit), time.Now())); n > limit || n < limit*8/10 {
				t.Errorf("records of %d bytes: a batch of %d for a limit of %d", size, n, limit)
			}
		}
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	e := newEncoder(100)
	n := e.fit(64 << 10)
	f := wire.NewFrame("topic", -1, e.bound(n))
	at := time.Now()
	if got := testing.AllocsPerRun(100, func() { f.Seal(e.append(f.Buffer(), n, at), 0) }); got > 0 {
		t.Fatalf("%v allocations for each batch", got)
	}
}

func TestWalkRefusesBrokenBatches(t *testing.T) {
	raw := newEncoder(100).append(nil, 10, time.Now())
	for _, at := range []int{lengthAt, magicAt, crcAt, countAt, recordsAt + 1, len(raw) - 1} {
		broken := append([]byte(nil), raw...)
		broken[at] ^= 0x80
		var seen tally
		if err := seen.walk(broken); err == nil && seen.records > 0 {
			t.Errorf("a flipped bit in byte %d is not noticed", at)
		}
	}
	for n := range raw {
		var seen tally
		if err := seen.walk(raw[:n]); err != nil || seen.records != 0 {
			t.Fatalf("cut at %d: %d records, %v", n, seen.records, err)
		}
	}
}
