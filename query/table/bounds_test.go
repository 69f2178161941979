package table

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/varve-log/varve/kafka"
)

// predicate is a random condition with the bounds that follow from it.
type predicate struct {
	holds  func(p, o, t int64) bool
	bounds Bounds
}

func predicates(depth int) *rapid.Generator[predicate] {
	return rapid.Custom(func(t *rapid.T) predicate {
		if depth == 0 || rapid.IntRange(0, 2).Draw(t, "leaf") == 0 {
			return leaf(t)
		}
		a := predicates(depth-1).Draw(t, "a")
		b := predicates(depth-1).Draw(t, "b")
		if rapid.Bool().Draw(t, "and") {
			return predicate{
				func(p, o, ts int64) bool { return a.holds(p, o, ts) && b.holds(p, o, ts) },
				a.bounds.And(b.bounds),
			}
		}
		return predicate{
			func(p, o, ts int64) bool { return a.holds(p, o, ts) || b.holds(p, o, ts) },
			a.bounds.Or(b.bounds),
		}
	})
}

func leaf(t *rapid.T) predicate {
	lo := rapid.Int64Range(0, 20).Draw(t, "lo")
	in := Interval{lo, lo + rapid.Int64Range(-1, 9).Draw(t, "n")}
	box := FullBox()
	switch rapid.IntRange(0, 3).Draw(t, "column") {
	case 0:
		box.Partition = in
		return predicate{func(p, _, _ int64) bool { return in.Contains(p) }, Within(box)}
	case 1:
		box.Offset = in
		return predicate{func(_, o, _ int64) bool { return in.Contains(o) }, Within(box)}
	case 2:
		box.Timestamp = in
		return predicate{func(_, _, ts int64) bool { return in.Contains(ts) }, Within(box)}
	}
	return predicate{func(_, o, _ int64) bool { return o%3 == 0 }, All()}
}

// A record that satisfies the predicate must lie in what is read of its segment.
func TestPruningIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := predicates(4).Draw(t, "predicate")
		part := rapid.Int64Range(0, 3).Draw(t, "partition")
		base := rapid.Int64Range(0, 20).Draw(t, "base")
		times := rapid.SliceOfN(rapid.Int64Range(0, 30), 1, 6).Draw(t, "times")
		next := base + int64(len(times))
		seg := Segment{
			Offsets:      kafka.OffsetRange{Base: kafka.Offset(base), Next: kafka.Offset(next)},
			MinTimestamp: 1000, MaxTimestamp: -1, Count: 1,
		}
		for _, ts := range times {
			seg.MinTimestamp = min(seg.MinTimestamp, kafka.Timestamp(ts))
			seg.MaxTimestamp = max(seg.MaxTimestamp, kafka.Timestamp(ts))
		}
		clip := p.bounds.Clip(int32(part), seg)
		for i, ts := range times {
			o := base + int64(i)
			if !p.holds(part, o, ts) {
				continue
			}
			if !clip.Contains(kafka.Offset(o)) || !p.bounds.MayHoldPartition(int32(part)) {
				t.Fatalf("record %d/%d at %d was pruned: clip %s", part, o, ts, clip)
			}
		}
	})
}

func TestManyBoxesBecomeTheirHull(t *testing.T) {
	var b Bounds
	for i := range int64(200) {
		box := FullBox()
		box.Offset = Interval{i * 10, i * 10}
		b = b.Or(Within(box))
	}
	if n := len(b.Boxes()); n > boxesMax {
		t.Errorf("%d boxes", n)
	}
	seg := Segment{Offsets: kafka.OffsetRange{Base: 1990, Next: 3000}, Count: 1}
	if clip := b.Clip(0, seg); clip != (kafka.OffsetRange{Base: 1990, Next: 1991}) {
		t.Errorf("clip %s", clip)
	}
}

func TestValueFormat(t *testing.T) {
	for s, want := range map[string]ValueFormat{"": Raw, "raw": Raw, "utf8": UTF8, "json": JSON} {
		if f, err := ParseValueFormat(s); err != nil || f != want {
			t.Errorf("%q: %v, %v", s, f, err)
		}
	}
	if _, err := ParseValueFormat("xml"); err == nil {
		t.Error("xml was taken")
	}
}
