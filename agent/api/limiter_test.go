package api

import (
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	var l limiter
	at := time.Unix(100, 0)
	for _, x := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {0, false}, {999 * time.Millisecond, false}, {time.Second, true}} {
		if got := l.allow(at.Add(x.after)); got != x.want {
			t.Errorf("after %s: %v", x.after, got)
		}
	}
}
