package tiering

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/varve-log/varve/tiering/cache"
)

// limiter spaces out the bytes of all uploads. A nil limiter does not.
type limiter struct {
	bytesPerSecond int64

	mu   sync.Mutex
	next time.Time // when the next read may begin
}

func newLimiter(bytesPerSecond int64) *limiter {
	if bytesPerSecond <= 0 {
		return nil
	}
	return &limiter{bytesPerSecond: bytesPerSecond}
}

// readerAtFunc is an io.ReaderAt.
type readerAtFunc func(b []byte, off int64) (int, error)

// ReadAt implements io.ReaderAt.
func (f readerAtFunc) ReadAt(b []byte, off int64) (int, error) { return f(b, off) }

// limit slows down the reads of r; they fail when ctx ends.
func (l *limiter) limit(ctx context.Context, r io.ReaderAt) io.ReaderAt {
	if l == nil {
		return r
	}
	return readerAtFunc(func(b []byte, off int64) (int, error) {
		if wait := time.Until(l.reserve(len(b), time.Now())); wait > 0 {
			if err := cache.Pause(ctx, wait); err != nil {
				return 0, err
			}
		}
		return r.ReadAt(b, off)
	})
}

// reserve books n bytes and tells when they may be read.
func (l *limiter) reserve(n int, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next.Before(now) {
		l.next = now
	}
	at := l.next
	l.next = at.Add(time.Duration(int64(n) * int64(time.Second) / l.bytesPerSecond))
	return at
}
