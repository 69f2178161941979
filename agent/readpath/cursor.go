package readpath

import (
	"container/list"
	"context"
	"errors"
	"io"
	"time"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/replay"
)

// marksMax bounds the remembered ends of cold fetches.
const marksMax = 4096

// place is where a sequential reader is expected next.
type place struct {
	tp   kafka.TopicPartition
	next kafka.Offset
}

// cursor is a sequential reader of the bucket between its fetches. It is owned by the fetch that
// took it, or idle in cursors.
type cursor struct {
	tp    kafka.TopicPartition
	it    *replay.Iterator
	run   *replay.Run // the rest of it was not returned yet
	rest  []byte
	next  kafka.Offset
	ended bool        // the iterator is at its end
	idle  *time.Timer // closes it, while it is idle
	elem  *list.Element
}

// cursors keeps idle cursors by where they go on, and the marks that other cold fetches left.
// Guarded by the Reader's mutex.
type cursors struct {
	idle   map[place]*cursor
	recent list.List // of idle *cursor, newest in front
	open   int       // idle and in use

	marks     map[place]*list.Element
	markOrder list.List // of place, newest in front
}

func newCursors() cursors {
	return cursors{idle: map[place]*cursor{}, marks: map[place]*list.Element{}}
}

// remove takes an idle cursor out.
func (cs *cursors) remove(c *cursor) {
	delete(cs.idle, place{c.tp, c.next})
	cs.recent.Remove(c.elem)
	c.idle.Stop()
}

func (cs *cursors) takeAll() []*cursor {
	var all []*cursor
	for _, c := range cs.idle {
		all = append(all, c)
	}
	for _, c := range all {
		cs.remove(c)
	}
	cs.open -= len(all)
	return all
}

// mark remembers that a cold fetch ended here.
func (r *Reader) mark(tp kafka.TopicPartition, next kafka.Offset) {
	r.mu.Lock()
	defer r.mu.Unlock()
	cs, at := &r.cursors, place{tp, next}
	if _, ok := cs.marks[at]; ok {
		return
	}
	cs.marks[at] = cs.markOrder.PushFront(at)
	if cs.markOrder.Len() > marksMax {
		delete(cs.marks, cs.markOrder.Remove(cs.markOrder.Back()).(place))
	}
}

// takeCursor gives the cursor that goes on at the offset asked for, a new one where a fetch ended
// there, or nil: then the fetch reads by itself.
func (r *Reader) takeCursor(ctx context.Context, src Source, req Request) (*cursor, error) {
	at := place{src.Manifest.TP(), req.From}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, ErrClosed
	}
	cs := &r.cursors
	if c := cs.idle[at]; c != nil {
		cs.remove(c)
		r.mu.Unlock()
		return c, nil
	}
	mark, sequential := cs.marks[at]
	if !sequential || r.cfg.CursorsMax == 0 {
		r.mu.Unlock()
		return nil, nil
	}
	var evicted *cursor
	if cs.open >= r.cfg.CursorsMax {
		last := cs.recent.Back()
		if last == nil { // all are in use
			r.mu.Unlock()
			return nil, nil
		}
		evicted = last.Value.(*cursor)
		cs.remove(evicted)
		cs.open--
	}
	cs.markOrder.Remove(mark)
	delete(cs.marks, at)
	cs.open++
	r.mu.Unlock()
	if evicted != nil {
		evicted.close()
	}
	return r.openCursor(ctx, src, req)
}

// openCursor begins to read ahead, up to where the hot log begins.
func (r *Reader) openCursor(ctx context.Context, src Source, req Request) (*cursor, error) {
	it, err := r.parts.Replay.Open(ctx, src.Manifest, replay.Options{
		From: req.From, To: src.Hot.LocalLogStartOffset(),
	})
	if err != nil {
		r.mu.Lock()
		r.cursors.open--
		r.mu.Unlock()
		return nil, err
	}
	r.metrics.cursorsOpened.Inc()
	return &cursor{tp: src.Manifest.TP(), it: it, next: req.From}, nil
}

// putCursor makes a cursor wait for the next fetch, or closes it: after an error other than the end
// of a fetch's context, and at the end of what it can read. There it leaves a mark, so that the
// reader gets a new one if the hot log has moved on by then.
func (r *Reader) putCursor(c *cursor, err error) {
	keep := !c.ended && (err == nil || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded))
	if c.ended {
		r.mark(c.tp, c.next)
	}
	r.mu.Lock()
	cs := &r.cursors
	at := place{c.tp, c.next}
	if _, taken := cs.idle[at]; !keep || taken || r.closed {
		cs.open--
		r.mu.Unlock()
		c.close()
		return
	}
	cs.idle[at] = c
	c.elem = cs.recent.PushFront(c)
	c.idle = time.AfterFunc(r.cfg.CursorIdleMax, func() { r.expire(at, c) })
	r.mu.Unlock()
}

// expire closes a cursor that is still idle where its timer was started.
func (r *Reader) expire(at place, c *cursor) {
	r.mu.Lock()
	if r.cursors.idle[at] != c {
		r.mu.Unlock()
		return
	}
	r.cursors.remove(c)
	r.cursors.open--
	r.mu.Unlock()
	c.close()
}

func (c *cursor) close() {
	if c.run != nil {
		c.run.Release()
		c.run = nil
	}
	c.it.Close()
}

// read returns batches from next on, waiting for the first ones only.
func (c *cursor) read(ctx context.Context, req Request) (Data, error) {
	d := Data{Next: c.next}
	for {
		if c.run == nil {
			if len(d.Records) > 0 && !c.it.Ready() {
				return d, nil
			}
			run, err := c.it.Next(ctx)
			if errors.Is(err, io.EOF) {
				c.ended = true
				return d, nil
			}
			if err != nil {
				return d, err
			}
			c.run, c.rest = run, run.Bytes
		}
		part := req
		part.From = c.next
		part.BytesMax -= d.Bytes()
		part.MinOne = req.MinOne && len(d.Records) == 0
		w, _, err := cut(c.rest, part)
		if err != nil {
			return d, err
		}
		c.give(&d, w)
		if c.run != nil { // a bound was reached
			return d, nil
		}
	}
}

// give moves batches from the run into d, and lets go of the run when none is left.
func (c *cursor) give(d *Data, w whole) {
	if len(w.records) > 0 {
		run := c.run
		run.Retain()
		d.addAborted(abortedIn(run.Footer, kafka.OffsetRange{Base: d.Next, Next: w.next}))
		d.Records = append(d.Records, w.records)
		d.free = append(d.free, run.Release)
		d.Next, c.next = w.next, w.next
	}
	c.rest = w.rest
	if len(c.rest) == 0 {
		c.next = max(c.next, c.run.Offsets.Next)
		d.Next = c.next
		c.run.Release()
		c.run = nil
	}
}

// addAborted lists the aborted transactions of the batches that come next, each once over all parts of
// an answer: every segment lists those that reach into it, and a client that is told twice leaves out
// what the producer commits afterwards.
func (d *Data) addAborted(within []segment.AbortedTxn) {
	for _, a := range within {
		if len(d.Records) == 0 || a.FirstOffset >= d.Next {
			d.Aborted = append(d.Aborted, a)
		}
	}
}
