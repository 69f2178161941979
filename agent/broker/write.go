package broker

import "fmt"

const (
	// writeBytesMax bounds one write, so that a client that reads slowly but steadily shows
	// progress.
	writeBytesMax = 1 << 20
	// writePartsMax bounds the parts of one write below the kernel's IOV_MAX.
	writePartsMax = 512
	// writeAnswersMax bounds the answers that are collected for one write.
	writeAnswersMax = 64
)

// flush writes the answers that are due, unless another goroutine does.
func (c *conn) flush() {
	c.mu.Lock()
	head := c.queue.front()
	if c.writing || head == nil || (head.state == pending && head.first == nil) {
		c.mu.Unlock()
		return
	}
	c.writing = true
	c.mu.Unlock()
	c.drain()
}

// drain writes answers in order until the next one is not given yet. The caller has set writing.
func (c *conn) drain() {
	for {
		c.mu.Lock()
		n, failed := c.ready(), c.cause != nil
		if n == 0 {
			c.writing = false
			var first func()
			if head := c.queue.front(); head != nil {
				first, head.first = head.first, nil
			}
			c.mu.Unlock()
			if first != nil {
				first()
			}
			return
		}
		var batch [writeAnswersMax]*Request
		for i := range n {
			batch[i] = c.queue.at(i)
		}
		c.mu.Unlock()
		if !failed {
			if err := c.write(batch[:n]); err != nil {
				c.fail(fmt.Errorf("write: %w", err))
			}
		}
		c.finish(batch[:n])
	}
}

// ready counts the answered requests at the front of the queue. c.mu is held.
func (c *conn) ready() int {
	n := 0
	for n < c.queue.len() && n < writeAnswersMax && c.queue.at(n).state != pending {
		n++
	}
	return n
}

// write sends the answers of a batch in as few writes as the bounds allow.
func (c *conn) write(batch []*Request) error {
	c.wv = c.wv[:0]
	size := 0
	for _, r := range batch {
		if r.state == silent {
			continue
		}
		for _, p := range r.parts {
			for len(p) > 0 {
				m := min(len(p), writeBytesMax-size)
				c.wv = append(c.wv, p[:m])
				p, size = p[m:], size+m
				if size == writeBytesMax || len(c.wv) == writePartsMax {
					if err := c.send(size); err != nil {
						return err
					}
					size = 0
				}
			}
		}
	}
	if size == 0 {
		return nil
	}
	return c.send(size)
}

// send writes c.wv.
func (c *conn) send(size int) error {
	c.writeSince.Store(c.s.now())
	defer c.writeSince.Store(0)
	var err error
	if len(c.wv) == 1 {
		_, err = c.nc.Write(c.wv[0])
	} else {
		v := c.wv
		_, err = c.wv.WriteTo(c.nc)
		clear(v)
		c.wv = v
	}
	c.wv = c.wv[:0]
	c.s.metrics.bytesOut.Add(float64(size))
	return err
}

// finish takes a written batch off the queue and keeps its requests for reuse.
func (c *conn) finish(batch []*Request) {
	for _, r := range batch {
		if r.release != nil {
			r.release()
			r.release = nil
		}
		c.s.metrics.answered(r)
	}
	c.mu.Lock()
	for _, r := range batch {
		c.queue.pop()
		if c.cause != nil {
			continue // after a panic a second answer may come
		}
		r.reset()
		if len(c.free) < min(c.s.cfg.PipelineMax, writeAnswersMax) {
			c.free = append(c.free, r)
		}
	}
	c.room.Signal()
	c.mu.Unlock()
}
