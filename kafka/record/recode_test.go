package record

import (
	"bytes"
	"testing"

	"github.com/varve-log/varve/kafka"
)

// TestRecode: every codec becomes every other one, at every kind of level, and the records and the
// rest of the header stay.
func TestRecode(t *testing.T) {
	build := NewBuilder(None)
	build.SetProducer(7, 2, 40)
	for i := range 50 {
		build.Append(kafka.Timestamp(1000+i), []byte("key"), bytes.Repeat([]byte("value "), i),
			Header{Key: "h", Value: nil})
	}
	plain, err := build.Build()
	if err != nil {
		t.Fatal(err)
	}
	plain.SetBaseOffset(99)
	levels := map[Codec][]int{
		None: {DefaultLevel}, Snappy: {DefaultLevel}, Gzip: {DefaultLevel, -1, 1, 9},
		LZ4: {DefaultLevel, 1, 9, 17}, Zstd: {DefaultLevel, -131072, 1, 3, 22},
	}
	for from := None; from <= Zstd; from++ {
		source, err := plain.Recode(from, DefaultLevel, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for to := None; to <= Zstd; to++ {
			for _, level := range levels[to] {
				got, err := source.Recode(to, level, DefaultLimits())
				if err != nil {
					t.Fatalf("%s to %s at %d: %v", from, to, level, err)
				}
				if err := got.Validate(); err != nil || got.Codec() != to {
					t.Fatalf("%s to %s at %d: is %s, %v", from, to, level, got.Codec(), err)
				}
				back, err := got.Recode(None, DefaultLevel, DefaultLimits())
				if err != nil || !bytes.Equal(back, plain) {
					t.Fatalf("%s to %s at %d and back: other bytes, %v", from, to, level, err)
				}
			}
		}
	}
	broken := bytes.Clone(plain)
	small, err := plain.Recode(Gzip, DefaultLevel, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.Recode(None, 0, Limits{InflatedBytesMax: 100}); err == nil {
		t.Error("inflated beyond the limit")
	}
	copy(small[HeaderSize:], "nonsense")
	if _, err := small.Recode(None, 0, DefaultLimits()); err == nil {
		t.Error("nonsense was inflated")
	}
	if !bytes.Equal(broken, plain) {
		t.Error("the source was changed")
	}
}
