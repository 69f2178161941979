package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/varve-log/varve/internal/render"
)

const (
	redrawEvery = 200 * time.Millisecond
	// rateWindow is the number of redraws that the shown rate looks back.
	rateWindow = 25
	barCells   = 24
)

// Options says what a bar shows.
type Options struct {
	// Verb is what is being done: "produce", "replay".
	Verb string
	// Draw is false where there is no terminal; the bar then only counts.
	Draw bool
	// Total is how many records the work has; 0 if unknown.
	Total int64
	// Part, if not nil, is asked how much is done, from 0 to 1, instead of counting up to Total;
	// negative if it cannot know. It is called by the bar's goroutine.
	Part func() float64
}

// Bar counts work and may draw it. Make one with New.
type Bar struct {
	w       io.Writer
	o       Options
	total   atomic.Int64
	done    atomic.Int64
	bytes   atomic.Int64
	quit    chan struct{}
	once    sync.Once
	drawing sync.WaitGroup
}

// New makes a bar that draws on w, if told to, until Done.
func New(w io.Writer, o Options) *Bar {
	b := &Bar{w: w, o: o, quit: make(chan struct{})}
	b.total.Store(o.Total)
	if o.Draw {
		b.drawing.Go(b.draw)
	}
	return b
}

// Add counts more records and their bytes.
func (b *Bar) Add(records, bytes int64) {
	b.done.Add(records)
	b.bytes.Add(bytes)
}

// SetTotal tells a total that became known, or changed, on the way.
func (b *Bar) SetTotal(total int64) { b.total.Store(total) }

// Totals returns what was counted.
func (b *Bar) Totals() (records, bytes int64) { return b.done.Load(), b.bytes.Load() }

// Done erases the line and stops the drawing; calls after the first do nothing.
func (b *Bar) Done() {
	b.once.Do(func() { close(b.quit) })
	b.drawing.Wait()
}

func (b *Bar) draw() {
	ticker := time.NewTicker(redrawEvery)
	defer ticker.Stop()
	history := make([]sample, 0, rateWindow)
	width := 0
	for {
		select {
		case <-b.quit:
			if width > 0 {
				fmt.Fprintf(b.w, "\r%s\r", strings.Repeat(" ", width))
			}
			return
		case now := <-ticker.C:
			if len(history) == rateWindow {
				history = history[:copy(history, history[1:])]
			}
			history = append(history, sample{now, b.done.Load(), b.bytes.Load(), b.part()})
			line := describe(b.o.Verb, history)
			fmt.Fprintf(b.w, "\r%-*s", width, line)
			width = max(width, len(line))
		}
	}
}

// part is how much is done, from 0 to 1, or negative.
func (b *Bar) part() float64 {
	if b.o.Part != nil {
		return b.o.Part()
	}
	if total := b.total.Load(); total > 0 {
		return float64(b.done.Load()) / float64(total)
	}
	return -1
}

// sample is what was done at a moment.
type sample struct {
	at             time.Time
	records, bytes int64
	part           float64
}

// describe is the line for a history of at least one sample, oldest first.
func describe(verb string, history []sample) string {
	first, last := history[0], history[len(history)-1]
	seconds := max(last.at.Sub(first.at).Seconds(), 1e-3)
	rate := float64(last.records-first.records) / seconds
	byteRate := float64(last.bytes-first.bytes) / seconds
	var line strings.Builder
	line.WriteString(verb)
	if last.part >= 0 {
		part := min(1, last.part)
		filled := int(part * barCells)
		fmt.Fprintf(&line, " [%s%s] %3.0f%%",
			strings.Repeat("=", filled), strings.Repeat(" ", barCells-filled), 100*part)
	}
	fmt.Fprintf(&line, "  %s records  %s/s  %s/s",
		render.Count(last.records), render.Count(int64(rate)), render.Bytes(int64(byteRate)))
	if pace := (last.part - first.part) / seconds; last.part >= 0 && last.part < 1 && pace > 0 {
		left := time.Duration((1 - last.part) / pace * float64(time.Second))
		fmt.Fprintf(&line, "  %s left", wholeSeconds(left))
	}
	return line.String()
}

// wholeSeconds says how long is left: more would only flicker.
func wholeSeconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return render.Seconds(d)
}
