package partition

import (
	"testing"
	"time"

	"github.com/varve-log/varve/kafka/settings"
)

// flush.ms=0 was taken for never, the opposite of what it asks for.
func TestFlushIntervals(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": time.Millisecond, "250": 250 * time.Millisecond, "9223372036854775807": 0,
	} {
		s, err := settings.FromConfigs(map[string]string{"flush.ms": text}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := LogConfig(s, 0).FlushInterval; got != want {
			t.Errorf("flush.ms=%s: flushed after %v, want %v", text, got, want)
		}
	}
}

func TestRollSettings(t *testing.T) {
	s, err := settings.FromConfigs(map[string]string{
		"segment.ms": "1000", "segment.jitter.ms": "5000", "segment.index.bytes": "80",
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := LogConfig(s, 0)
	if c.SegmentJitter != time.Second || c.IndexEntriesMax != 10 {
		t.Errorf("jitter %v, %d index entries", c.SegmentJitter, c.IndexEntriesMax)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
