package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one connection.
type conn struct {
	s      *Server
	nc     net.Conn
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	framer framer
	client string // the last client id

	// Times by Server.now for the sweeper; 0: not in that state.
	frameSince atomic.Int64 // a frame has begun to arrive
	writeSince atomic.Int64 // a write waits for the client
	lastFrame  atomic.Int64 // the last frame was complete

	wv net.Buffers // of the goroutine that has writing

	mu      sync.Mutex
	room    sync.Cond // signalled when queue gets shorter or the connection fails
	queue   queue
	writing bool // a goroutine writes answers
	cause   error
	gone    bool       // the reading goroutine has ended
	free    []*Request // for reuse, at most PipelineMax
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, queue: newQueue(s.cfg.PipelineMax)}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	c.framer.c = c
	c.room.L = &c.mu
	c.lastFrame.Store(s.now())
	return c
}

// serve reads and handles requests until the connection ends.
func (c *conn) serve() {
	for {
		r := c.request()
		if r == nil {
			break
		}
		frame, err := c.framer.next(r)
		c.frameSince.Store(0)
		if err == nil {
			err = c.handle(r, frame)
		} else {
			r.FreeBody()
		}
		if err != nil {
			c.stop(err)
			break
		}
	}
	c.close()
}

// stop ends the connection for cause: at once, but for a shutdown, which lets due answers leave.
func (c *conn) stop(cause error) {
	if errors.Is(cause, io.EOF) || !c.s.stopping.Load() {
		c.fail(cause)
		return
	}
	c.mu.Lock()
	for c.queue.len() > 0 && c.cause == nil {
		c.room.Wait()
	}
	c.mu.Unlock()
	c.fail(errStopping)
}

// request waits for room in the pipeline and gives a request to read into, or nil when the
// connection failed.
func (c *conn) request() *Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.queue.len() >= c.s.cfg.PipelineMax && c.cause == nil {
		c.room.Wait()
	}
	if c.cause != nil {
		return nil
	}
	if n := len(c.free); n > 0 {
		r := c.free[n-1]
		c.free = c.free[:n-1]
		return r
	}
	return &Request{conn: c}
}

// handle decodes the header, queues the request and calls the handler.
func (c *conn) handle(r *Request, frame []byte) error {
	if err := decodeHeader(r, frame, c.s.apis, c.client); err != nil {
		r.FreeBody()
		return err
	}
	r.Received = time.Now()
	c.lastFrame.Store(c.s.now())
	c.client = r.ClientID
	c.s.metrics.request(r, len(frame)+4)
	blocking := r.api.Blocking
	if blocking {
		c.flush()
	}
	c.mu.Lock()
	r.inHandle = true
	c.queue.push(r)
	c.mu.Unlock()
	c.call(r)
	c.mu.Lock()
	r.inHandle = false // answers given from here on are written by their giver
	hold := c.queue.len() < c.s.cfg.PipelineMax && c.framer.buffered() && !blocking
	c.mu.Unlock()
	if !hold {
		c.flush()
	}
	return nil
}

// call runs the handler.
func (c *conn) call(r *Request) {
	defer c.recoverPanic(r)
	c.s.handler.Handle(c.ctx, r)
}

// recoverPanic turns a handler's panic into the end of its connection.
func (c *conn) recoverPanic(r *Request) {
	p := recover()
	if p == nil {
		return
	}
	c.s.log.Error("request handler panicked", "api", r.api.Name, "api_version", r.Version,
		"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	c.fail(fmt.Errorf("%w: %v", ErrPanic, p))
	c.mu.Lock()
	unanswered := r.state == pending
	c.mu.Unlock()
	if unanswered {
		r.answer(silent)
	}
}

// fail ends the connection: its first cause is kept, the socket closed and every waiter woken.
func (c *conn) fail(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
		c.cancel()
		_ = c.nc.Close()
		c.room.Broadcast()
	}
	c.mu.Unlock()
}

// spawn runs fn in a goroutine. The server waits for it unless the connection has ended already,
// when all that fn can do is to drop an answer. c.mu is held.
func (c *conn) spawn(fn func()) {
	if c.gone {
		go fn()
		return
	}
	c.s.wg.Go(fn) // the reading goroutine is counted, so this never races with the end of Wait
}

// close accounts for the end. Requests without an answer yet give theirs to no one.
func (c *conn) close() {
	c.mu.Lock()
	c.gone = true
	cause := c.cause
	c.mu.Unlock()
	c.s.metrics.closed.WithLabelValues(reasonOf(cause)).Inc()
	if clientFault(cause) {
		c.s.log.Warn("connection closed", "client", c.nc.RemoteAddr().String(),
			"client_id", c.client, "err", cause)
	}
}
