package manifest

import (
	"testing"

	"github.com/varve-log/varve/kafka"
)

// An unknown smallest timestamp was left out of the page's summary, so that a search by time could
// prune the page though it held the record.
func TestUnknownMinimumStaysUnknown(t *testing.T) {
	entry := func(low, high kafka.Timestamp) Entry { return Entry{MinTimestamp: low, MaxTimestamp: high} }
	none := kafka.NoTimestamp
	for _, test := range []struct {
		name      string
		entries   []Entry
		low, high kafka.Timestamp
	}{
		{"all known", []Entry{entry(10, 20), entry(5, 8)}, 5, 20},
		{"unknown first", []Entry{entry(none, 20), entry(5, 8)}, none, 20},
		{"unknown last", []Entry{entry(10, 20), entry(none, 8)}, none, 20},
		{"without timestamps first", []Entry{entry(none, none), entry(5, 8)}, 5, 8},
		{"without timestamps last", []Entry{entry(5, 8), entry(none, none)}, 5, 8},
		{"none has one", []Entry{entry(none, none)}, none, none},
	} {
		got := Page{Entries: test.entries}.summarise(1, none)
		if got.MinTimestamp != test.low || got.MaxTimestamp != test.high {
			t.Errorf("%s: %d..%d, want %d..%d", test.name, got.MinTimestamp, got.MaxTimestamp, test.low, test.high)
		}
	}
}
