package partition

import (
	"sort"
	"sync"

	"github.com/varve-log/varve/kafka"
)

// growthMarks bounds how many of the newest appends are remembered: 256 marks of 16 bytes.
const growthMarks = 256

// growth remembers where the newest appends ended, in offsets and bytes, so that a long poll with a
// minimum of bytes is answered when they are there. The zero value is empty.
type growth struct {
	mu    sync.Mutex
	marks []mark // ascending by next
	total int64
}

type mark struct {
	next  kafka.Offset
	total int64 // bytes appended through next, since the start of this process
}

// grow notes an append of size bytes that ended at next. Of two concurrent appends the later offset
// may be noted first; the earlier one then counts into it.
func (g *growth) grow(next kafka.Offset, size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total += int64(size)
	if n := len(g.marks); n > 0 && g.marks[n-1].next >= next {
		g.marks[n-1].total = g.total
		return
	}
	if len(g.marks) == growthMarks {
		g.marks = g.marks[:copy(g.marks, g.marks[growthMarks/2:])]
	}
	g.marks = append(g.marks, mark{next, g.total})
}

// between tells the bytes of [from, until), and whether the marks reach back that far.
func (g *growth) between(from, until kafka.Offset) (int64, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	low, ok := g.at(from)
	if !ok {
		return 0, false
	}
	high, ok := g.at(until)
	return high - low, ok
}

// at is the total at the last mark at or below o.
func (g *growth) at(o kafka.Offset) (int64, bool) {
	i := sort.Search(len(g.marks), func(i int) bool { return g.marks[i].next > o })
	if i == 0 {
		return 0, false
	}
	return g.marks[i-1].total, true
}
