package partition

import (
	"sync"
	"sync/atomic"

	"github.com/varve-log/varve/kafka"
)

// watermark is the high watermark and those who wait for it. The zero value stands at offset 0.
type watermark struct {
	offset atomic.Int64
	// watching counts waiters and subscribers, so that an append no one waits for takes no lock.
	watching atomic.Int64

	mu          sync.Mutex
	waiters     []waiter
	subscribers map[int64]func()
	nextID      int64
	failed      error
}

type waiter struct {
	next kafka.Offset
	fn   func(error)
}

func (w *watermark) load() kafka.Offset { return kafka.Offset(w.offset.Load()) }

// advance raises the watermark and tells everyone who waits for it. A lower offset changes nothing.
func (w *watermark) advance(to kafka.Offset) {
	for {
		now := w.offset.Load()
		if int64(to) <= now {
			return
		}
		if w.offset.CompareAndSwap(now, int64(to)) {
			break
		}
	}
	if w.watching.Load() > 0 {
		w.wake()
	}
}

// wait calls fn(nil) once the watermark is at next: inline if it is, else from whoever advances it;
// or fn(err) after fail.
func (w *watermark) wait(next kafka.Offset, fn func(error)) {
	if w.load() >= next {
		fn(nil)
		return
	}
	w.mu.Lock()
	// Counted before the second look: an advance that misses the count comes before this look.
	w.watching.Add(1)
	err := w.failed
	if err == nil && w.load() < next {
		w.waiters = append(w.waiters, waiter{next, fn})
		w.mu.Unlock()
		return
	}
	w.watching.Add(-1)
	w.mu.Unlock()
	if w.load() >= next {
		err = nil
	}
	fn(err)
}

// subscribe calls fn after every advance until the returned function is called.
func (w *watermark) subscribe(fn func()) (cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.subscribers == nil {
		w.subscribers = make(map[int64]func())
	}
	id := w.nextID
	w.nextID++
	w.subscribers[id] = fn
	w.watching.Add(1)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, there := w.subscribers[id]; there {
			delete(w.subscribers, id)
			w.watching.Add(-1)
		}
	}
}

// fail ends every wait above the watermark with err, now and later, and wakes the subscribers.
func (w *watermark) fail(err error) {
	w.mu.Lock()
	if w.failed == nil {
		w.failed = err
	}
	w.mu.Unlock()
	w.wake()
}

func (w *watermark) wake() {
	w.mu.Lock()
	now, failed := w.load(), w.failed
	var due []waiter
	kept := w.waiters[:0]
	for _, each := range w.waiters {
		if each.next <= now || failed != nil {
			due = append(due, each)
		} else {
			kept = append(kept, each)
		}
	}
	clear(w.waiters[len(kept):])
	w.waiters = kept
	w.watching.Add(-int64(len(due)))
	subscribers := make([]func(), 0, len(w.subscribers))
	for _, fn := range w.subscribers {
		subscribers = append(subscribers, fn)
	}
	w.mu.Unlock()

	for _, each := range due {
		if each.next <= now {
			each.fn(nil)
		} else {
			each.fn(failed)
		}
	}
	for _, fn := range subscribers {
		fn()
	}
}
