package coordinator

import "testing"

// The hashes are those that java.lang.String.hashCode gives.
func TestPartitionForIsKafkas(t *testing.T) {
	for _, x := range []struct {
		id   string
		want int32
	}{
		{"", 0},
		{"a", 97 % 50},
		{"group", 98629247 % 50},
		{"polygenelubricants", 0}, // hashes to -2^31
		{"zürich", 0},
	} {
		if x.id == "zürich" {
			x.want = javaHash([]uint16{'z', 0xfc, 'r', 'i', 'c', 'h'}) % 50
		}
		if got := PartitionFor(x.id, 50); got != x.want {
			t.Errorf("%q: partition %d, want %d", x.id, got, x.want)
		}
	}
}

func javaHash(units []uint16) int32 {
	var h int32
	for _, u := range units {
		h = h*31 + int32(u)
	}
	return max(h, -h)
}
