package replay

import (
	"errors"
	"io"
	"testing"

	"github.com/varve-log/varve/kafka"
)

func TestOffsetForTimeWithTimestampsOutOfOrder(t *testing.T) {
	b := newBucket(t)
	// A saw tooth: each run of 50 offsets climbs by 10 and the next begins a little higher.
	b.stamp = func(o kafka.Offset) kafka.Timestamp {
		return 1000 + kafka.Timestamp(10*(o%50)+3*(o/50))
	}
	b.fill(6, 20, 3, 500)
	b.moveLogStart(70)
	r := b.reader(smallConfig())
	want := func(ts kafka.Timestamp, from, to kafka.Offset) (kafka.Offset, bool) {
		for o := from; o < to; o++ {
			if b.stamp(o) >= ts {
				return o, true
			}
		}
		return 0, false
	}
	for ts := kafka.Timestamp(990); ts < 1600; ts += 7 {
		for _, within := range []kafka.OffsetRange{{}, {Base: 100, Next: 200}, {Base: 0, Next: 120}} {
			from, to := max(within.Base, 70), b.next
			if within.Next > 0 {
				to = within.Next
			}
			got, ok, err := r.OffsetForTime(t.Context(), b.m, ts, within)
			if err != nil {
				t.Fatal(err)
			}
			o, there := want(ts, from, to)
			if ok != there || ok && (got.Offset != o || got.Timestamp != b.stamp(o) || got.Epoch != 1) {
				t.Errorf("time %d in %s: %+v %t, want offset %d %t", ts, within, got, ok, o, there)
			}
		}
	}
}

func TestGroupGivesEveryPartitionInEitherOrder(t *testing.T) {
	first := newBucket(t)
	first.fill(3, 20, 3, 2000)
	r := first.reader(smallConfig())
	for _, order := range []Order{Sequential, Interleaved} {
		// One partition twice, in ranges that do not overlap.
		g := r.OpenGroup([]Part{
			{Manifest: first.m, Options: Options{To: 60}},
			{Manifest: first.m, Options: Options{From: 60}},
		}, order)
		counts := map[int]int{}
		changes, last := 0, -1
		for {
			i, run, err := g.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if i != last {
				changes, last = changes+1, i
			}
			counts[i] += len(run.Bytes)
			run.Release()
		}
		if a := len(first.span(0, 60)); counts[0] != a || counts[1] != len(first.data)-a {
			t.Errorf("order %d: %v of %d bytes", order, counts, len(first.data))
		}
		if sequential := changes == 2; sequential != (order == Sequential) {
			t.Errorf("order %d: %d changes of partition", order, changes)
		}
		if p := g.Iterator(1).Position(); p != first.next {
			t.Errorf("position %d, want %d", p, first.next)
		}
		g.Close()
	}
}
