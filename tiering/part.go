package tiering

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"time"

	"github.com/varve-log/varve/kafka"
)

// part is a partition in the Sealer's care. Fields below `due` are guarded by the Sealer's mutex; a
// part is in one place at a time: in the heap, queued for a worker, or busy in one.
type part struct {
	log Log
	tp  kafka.TopicPartition

	due     time.Time
	index   int  // in the heap, or -1
	queued  bool // is being looked at or waits for a worker
	looking bool // the scheduler is looking at it
	busy    bool // a worker is at it
	again   bool // became due meanwhile
	removed bool
	cancel  context.CancelFunc // of the step under way

	failures  int
	retryAt   time.Time
	lastErr   error
	uploading *kafka.OffsetRange
	inFlight  map[string]struct{} // uids that were put and may yet be committed
	view      view
	changed   chan struct{} // closed and replaced whenever a step ends

	// Used by the worker at the part, or by the scheduler while there is none.
	retentionAt time.Time
	retained    retention    // as of the last look
	checkedEnd  kafka.Offset // objects below were verified; the manifest may not say so yet
	attempt     attempt
}

// view is what a look at a partition found.
type view struct {
	work bool      // a worker has to come
	next time.Time // when to look again if not

	backlogSegments int
	backlogBytes    int64
	oldest          time.Time // first append of the oldest record that is not sealed; zero: none
}

// announce wakes everyone who waits for the part to change. The Sealer's mutex is held.
func (p *part) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *part) isRemoved(s *Sealer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.removed
}

// pause is how long to wait after so many failures in a row: doubling, bounded, and varied by up to
// a quarter so that partitions do not come back all at once.
func (s *Sealer) pause(failures int) time.Duration {
	d := s.cfg.RetryPauseMax
	if failures < 32 {
		d = min(d, s.cfg.RetryPauseMin<<(failures-1))
	}
	if d <= 0 {
		d = s.cfg.RetryPauseMax
	}
	return d - time.Duration(rand.Int64N(int64(d)/4+1))
}

// dueHeap orders parts by when they are due.
type dueHeap []*part

var _ heap.Interface = (*dueHeap)(nil)

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }

func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *dueHeap) Push(x any) {
	p := x.(*part)
	p.index = len(*h)
	*h = append(*h, p)
}

// Pop implements heap.Interface.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	p.index = -1
	return p
}
