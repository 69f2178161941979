package partition

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/varve-log/varve/kafka"
)

func TestWatermarkAnswersEveryWaiterOnce(t *testing.T) {
	var w watermark
	const writers, each = 4, 2000
	var answered, woken, next atomic.Int64
	cancel := w.subscribe(func() { woken.Add(1) })
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				to := kafka.Offset(next.Add(1))
				w.wait(to, func(err error) {
					if err != nil {
						t.Error(err)
					}
					if w.load() < to {
						t.Errorf("answered for %d at %d", to, w.load())
					}
					answered.Add(1)
				})
				w.advance(to)
			}
		})
	}
	group.Wait()
	if answered.Load() != writers*each || w.load() != writers*each {
		t.Fatalf("%d of %d waiters answered at %d", answered.Load(), writers*each, w.load())
	}
	if woken.Load() == 0 {
		t.Fatal("the subscriber heard nothing")
	}
	cancel()
	cancel()
	if n := w.watching.Load(); n != 0 {
		t.Fatalf("%d are still counted as watching", n)
	}
	w.advance(3)
	if w.load() != writers*each {
		t.Fatal("the watermark went back")
	}
}

func TestFailedWatermarkAnswersWhatIsAboveIt(t *testing.T) {
	var w watermark
	w.advance(5)
	broken := errors.New("broken")
	var early, late, below error
	w.wait(6, func(err error) { early = err })
	w.fail(broken)
	w.wait(7, func(err error) { late = err })
	w.wait(5, func(err error) { below = err })
	if !errors.Is(early, broken) || !errors.Is(late, broken) || below != nil {
		t.Fatal(early, late, below)
	}
	if n := w.watching.Load(); n != 0 {
		t.Fatalf("%d are still counted as watching", n)
	}
}

func TestGrowthKnowsTheNewestAppends(t *testing.T) {
	var g growth
	for i := range 1000 {
		g.grow(kafka.Offset(10*(i+1)), 100)
	}
	if n, ok := g.between(9000, 10_000); !ok || n != 100*100 {
		t.Fatalf("%d bytes, %v", n, ok)
	}
	if _, ok := g.between(10, 10_000); ok {
		t.Fatal("it claims to know what it forgot")
	}
	g.grow(9995, 7) // noted late: counts into the newest
	if n, _ := g.between(9990, 10_000); n != 107 {
		t.Fatalf("%d bytes", n)
	}
	if len(g.marks) > growthMarks {
		t.Fatalf("%d marks", len(g.marks))
	}
}
