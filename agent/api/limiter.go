package api

import (
	"sync/atomic"
	"time"
)

// limiter lets one log line a second through, so that an outage does not flood the log with what
// every request meets. Metrics count all of them.
type limiter struct {
	next atomic.Int64 // Unix nanoseconds from which on the next is let through
}

// allow reports whether the caller may log now.
func (l *limiter) allow(now time.Time) bool {
	next, at := l.next.Load(), now.UnixNano()
	return at >= next && l.next.CompareAndSwap(next, at+int64(time.Second))
}
