package clean

import (
	"context"
	"math"
	"sync"
	"time"
)

// pacer keeps the I/O of all cleanings below a rate. The zero value has no rate.
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

const (
	// restShare is how long a cleaning rests for each time that it works: produce and fetch come first
	// where cores are few and disks are slow. What slows it down makes it rest for longer.
	restShare = 1
	// restMin is the least rest worth a timer, restMax the longest at once.
	restMin = time.Millisecond
	restMax = 100 * time.Millisecond
)

// turn is the pace of one cleaning.
type turn struct {
	p     *pacer
	since time.Time     // when it began to work
	owed  time.Duration // of rest
}

// turn begins the pace of a cleaning.
func (p *pacer) turn() *turn { return &turn{p: p, since: time.Now()} }

// pace waits until n bytes may move, or for ctx to end.
func (t *turn) pace(ctx context.Context, n int) error {
	now := time.Now()
	t.owed += restShare * now.Sub(t.since)
	wait := t.p.reserve(n, now)
	if t.owed >= restMin {
		wait = max(wait, min(t.owed, restMax))
		t.owed = 0
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	t.since = time.Now()
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
