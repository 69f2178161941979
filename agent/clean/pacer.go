package clean

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"
)

// pacer keeps the I/O of all cleanings below a rate. The zero value does not, but still lets others
// run between two pieces of work.
type pacer struct {
	mu   sync.Mutex
	rate float64   // bytes a second; 0: no bound
	next time.Time // when the next bytes may move
}

// set changes the rate. What no clock can measure is no bound.
func (p *pacer) set(bytesPerSecond float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate = bytesPerSecond; math.IsInf(p.rate, 0) || p.rate > math.MaxInt64 {
		p.rate = 0
	}
}

// pace waits until n bytes may move, or for ctx to end.
func (p *pacer) pace(ctx context.Context, n int) error {
	runtime.Gosched() // produce and fetch come first where cores are few
	if wait := p.reserve(n, time.Now()); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// reserve books n bytes and tells how long they have to wait.
func (p *pacer) reserve(n int, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rate <= 0 {
		return 0
	}
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	return wait
}
