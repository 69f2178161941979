package group

import (
	"container/heap"
	"time"
)

// timer calls fire when it is due. Its zero value, with fire set, is stopped.
type timer struct {
	fire func(t *turn)
	due  time.Time // the zero time: stopped
	at   time.Time // its place in the heap, not after due
	slot int       // index in the heap + 1; 0: not in it
}

// timers is a heap of timers in which moving one to a later time, as each heartbeat does, costs
// nothing: it is put right when its old time comes.
type timers []*timer

// set makes x due at a time, whatever it was before.
func (ts *timers) set(x *timer, due time.Time) {
	x.due = due
	switch {
	case x.slot == 0:
		x.at = due
		heap.Push(ts, x)
	case due.Before(x.at):
		x.at = due
		heap.Fix(ts, x.slot-1)
	}
}

// stop makes sure that x does not fire.
func (ts *timers) stop(x *timer) {
	x.due = time.Time{}
	if x.slot != 0 {
		heap.Remove(ts, x.slot-1)
	}
}

// next is when to call run; the zero time: never.
func (ts timers) next() time.Time {
	if len(ts) == 0 {
		return time.Time{}
	}
	return ts[0].at
}

// run fires what is due at t.now, each timer once: one that sets itself to now waits for the next run.
func (ts *timers) run(t *turn) {
	var due []*timer
	for len(*ts) > 0 && !(*ts)[0].at.After(t.now) {
		x := (*ts)[0]
		if x.due.After(t.now) {
			x.at = x.due
			heap.Fix(ts, 0)
			continue
		}
		heap.Pop(ts)
		due = append(due, x)
	}
	for _, x := range due {
		if !x.due.IsZero() && !x.due.After(t.now) { // nor stopped nor put off by one before
			ts.stop(x)
			x.fire(t)
		}
	}
}

// Len, Less, Swap, Push and Pop are container/heap's.
func (ts timers) Len() int { return len(ts) }

func (ts timers) Less(i, j int) bool { return ts[i].at.Before(ts[j].at) }

func (ts timers) Swap(i, j int) {
	ts[i], ts[j] = ts[j], ts[i]
	ts[i].slot, ts[j].slot = i+1, j+1
}

// Push appends a timer.
func (ts *timers) Push(x any) {
	t := x.(*timer)
	*ts = append(*ts, t)
	t.slot = len(*ts)
}

// Pop takes the last timer.
func (ts *timers) Pop() any {
	last := len(*ts) - 1
	t := (*ts)[last]
	(*ts)[last] = nil
	*ts = (*ts)[:last]
	t.slot = 0
	return t
}
