package table

import (
	"math"

	"github.com/varve-log/varve/kafka"
)

// boxesMax bounds a Bounds; beyond it, boxes are replaced by their hull.
const boxesMax = 64

// Interval is a range of integers, both ends inclusive. It is empty when Max < Min.
type Interval struct{ Min, Max int64 }

// Everything is the interval that excludes nothing.
func Everything() Interval { return Interval{math.MinInt64, math.MaxInt64} }

// IsEverything reports whether the interval excludes nothing.
func (i Interval) IsEverything() bool { return i == Everything() }

// Empty reports whether nothing lies in the interval.
func (i Interval) Empty() bool { return i.Max < i.Min }

// Contains reports whether v lies in the interval.
func (i Interval) Contains(v int64) bool { return i.Min <= v && v <= i.Max }

// Overlaps reports whether any integer lies in both.
func (i Interval) Overlaps(o Interval) bool { return !i.intersect(o).Empty() }

func (i Interval) intersect(o Interval) Interval {
	return Interval{max(i.Min, o.Min), min(i.Max, o.Max)}
}

func (i Interval) hull(o Interval) Interval {
	return Interval{min(i.Min, o.Min), max(i.Max, o.Max)}
}

// Box holds the records whose partition, offset and timestamp (milliseconds since the epoch) each
// lie in their interval. A record without a timestamp lies only in a box whose Timestamp is
// everything.
type Box struct{ Partition, Offset, Timestamp Interval }

// FullBox holds every record.
func FullBox() Box { return Box{Everything(), Everything(), Everything()} }

func (b Box) empty() bool {
	return b.Partition.Empty() || b.Offset.Empty() || b.Timestamp.Empty()
}

func (b Box) intersect(o Box) Box {
	return Box{
		b.Partition.intersect(o.Partition),
		b.Offset.intersect(o.Offset),
		b.Timestamp.intersect(o.Timestamp),
	}
}

func (b Box) hull(o Box) Box {
	return Box{b.Partition.hull(o.Partition), b.Offset.hull(o.Offset), b.Timestamp.hull(o.Timestamp)}
}

// Bounds is a union of boxes outside of which no record can satisfy a predicate. The zero value
// admits nothing; All admits everything.
type Bounds struct{ boxes []Box }

// All is the bounds of no predicate.
func All() Bounds { return Bounds{[]Box{FullBox()}} }

// Within is the bounds of one box.
func Within(b Box) Bounds {
	if b.empty() {
		return Bounds{}
	}
	return Bounds{[]Box{b}}
}

// And admits what both may admit.
func (b Bounds) And(o Bounds) Bounds {
	var out []Box
	for _, x := range b.boxes {
		for _, y := range o.boxes {
			if z := x.intersect(y); !z.empty() {
				out = append(out, z)
			}
		}
	}
	return Bounds{out}.capped()
}

// Or admits what either admits.
func (b Bounds) Or(o Bounds) Bounds {
	return Bounds{append(append([]Box(nil), b.boxes...), o.boxes...)}.capped()
}

func (b Bounds) capped() Bounds {
	if len(b.boxes) <= boxesMax {
		return b
	}
	h := b.boxes[0]
	for _, x := range b.boxes[1:] {
		h = h.hull(x)
	}
	return Bounds{[]Box{h}}
}

// Boxes returns the boxes, which the caller must not change.
func (b Bounds) Boxes() []Box { return b.boxes }

// MayHoldPartition reports whether a record of the partition can satisfy the predicate.
func (b Bounds) MayHoldPartition(p int32) bool {
	for _, x := range b.boxes {
		if x.Partition.Contains(int64(p)) {
			return true
		}
	}
	return false
}

// Clip returns the part of a segment's offsets that the bounds admit: empty when no record of the
// segment can satisfy the predicate.
func (b Bounds) Clip(p int32, s Segment) kafka.OffsetRange {
	offsets := Interval{int64(s.Offsets.Base), int64(s.Offsets.Next) - 1}
	times := Interval{int64(s.MinTimestamp), int64(s.MaxTimestamp)}
	hull := Interval{math.MaxInt64, math.MinInt64}
	for _, x := range b.boxes {
		if !x.Partition.Contains(int64(p)) || !x.Timestamp.Overlaps(times) {
			continue
		}
		if o := x.Offset.intersect(offsets); !o.Empty() {
			hull = hull.hull(o)
		}
	}
	if hull.Empty() {
		return kafka.OffsetRange{Base: s.Offsets.Base, Next: s.Offsets.Base}
	}
	return kafka.OffsetRange{Base: kafka.Offset(hull.Min), Next: kafka.Offset(hull.Max) + 1}
}
