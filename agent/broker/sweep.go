package broker

import (
	"errors"
	"syscall"
	"time"
)

// sweepEvery is how often connections are looked at; bounds in time are kept to within it.
const sweepEvery = time.Second

// sweep closes connections that exceed a bound in time. One goroutine looks at all, so that the hot
// path sets no deadlines.
func (s *Server) sweep() {
	tick := time.NewTicker(min(sweepEvery, s.cfg.FrameTimeMax, s.cfg.WriteTimeMax, s.cfg.IdleMax))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		now := s.now()
		for _, c := range s.connections() {
			if err := c.overdue(now); err != nil {
				c.fail(err)
			}
		}
	}
}

// overdue names the bound that the connection exceeds.
func (c *conn) overdue(now int64) error {
	cfg := &c.s.cfg
	if t := c.frameSince.Load(); t != 0 && now-t > int64(cfg.FrameTimeMax) {
		return ErrSlowFrame
	}
	if t := c.writeSince.Load(); t != 0 && now-t > int64(cfg.WriteTimeMax) {
		return ErrSlowReader
	}
	if now-c.lastFrame.Load() <= int64(cfg.IdleMax) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queue.len() == 0 {
		return ErrIdle
	}
	return nil
}

// pause waits a moment, so that a lack of file descriptors does not make accept spin.
func (s *Server) pause() {
	t := time.NewTimer(100 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
