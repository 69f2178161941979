package broker

import (
	"container/list"
	"sync"
)

// budget bounds the bytes of request buffers over all connections (V10). Waiters are served in
// order, so that a large frame is not starved by small ones.
type budget struct {
	mu      sync.Mutex
	free    int64
	size    int64
	waiters list.List // of *waiter
}

type waiter struct {
	n     int64
	ready chan struct{} // closed when n was given
}

func newBudget(size int64) *budget { return &budget{free: size, size: size} }

// acquire takes n bytes, or the whole budget where n is larger, and returns what it took. It waits
// until there are as many or done is closed; then it reports false and took nothing.
func (b *budget) acquire(n int64, done <-chan struct{}) (int64, bool) {
	n = min(n, b.size)
	b.mu.Lock()
	if b.waiters.Len() == 0 && b.free >= n {
		b.free -= n
		b.mu.Unlock()
		return n, true
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	e := b.waiters.PushBack(w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return n, true
	case <-done:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.ready: // given in the meantime: hand it on
		b.free += n
	default:
		b.waiters.Remove(e)
	}
	b.grant()
	return 0, false
}

// release gives n bytes back.
func (b *budget) release(n int64) {
	b.mu.Lock()
	b.free += n
	b.grant()
	b.mu.Unlock()
}

// used is the number of bytes taken.
func (b *budget) used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size - b.free
}

// grant serves waiters from the front. b.mu is held.
func (b *budget) grant() {
	for e := b.waiters.Front(); e != nil; e = b.waiters.Front() {
		w := e.Value.(*waiter)
		if w.n > b.free {
			return
		}
		b.free -= w.n
		b.waiters.Remove(e)
		close(w.ready)
	}
}
