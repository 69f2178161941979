package broker

import (
	"context"
	"encoding/binary"
	"net"
	"time"
)

// Request is one request. It and its Body belong to the handler until one of Respond, RespondParts,
// NoResponse and Close is called.
type Request struct {
	Key, Version  int16
	CorrelationID int32
	// ClientID is empty where the client gave none.
	ClientID string
	// Body follows the header. It lies in a pooled buffer: nothing of it may be kept.
	Body []byte
	// Received is when the whole frame was there.
	Received time.Time

	api    *API
	conn   *conn
	buf    *buffer
	charge int64 // taken of the budget

	out     []byte // the answer's own bytes, kept for the next request
	parts   net.Buffers
	release func()

	// Guarded by conn.mu.
	state    state
	inHandle bool
	first    func()
}

type state uint8

const (
	pending  state = iota // no answer yet
	answered              // to be written
	silent                // nothing to be written
)

// outBytesKept bounds the answer buffer that a request keeps for the next one.
const outBytesKept = 16 << 10

// API is the table entry that the request was matched with.
func (r *Request) API() *API { return r.api }

// RemoteAddr is the client's address.
func (r *Request) RemoteAddr() net.Addr { return r.conn.nc.RemoteAddr() }

// Stopping is closed when the server begins to shut down: a request that waits for something that
// may never come is to be answered then.
func (r *Request) Stopping() <-chan struct{} { return r.conn.s.stop }

// Begin starts an answer: the returned bytes hold the frame size and the response header, and the
// handler appends the body.
func (r *Request) Begin() []byte {
	b := append(r.out[:0], 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(r.CorrelationID))
	if r.Key != apiVersionsKey && r.api.flexible(r.Version) {
		b = append(b, 0)
	}
	return b
}

// Respond answers with b, which began with Begin.
func (r *Request) Respond(b []byte) {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	r.out = b
	r.parts = append(r.parts[:0], b)
	r.answer(answered)
}

// Parts is an empty list to collect parts in.
func (r *Request) Parts() [][]byte { return r.parts[:0] }

// RespondParts answers with parts, written in order without being copied. The first must begin
// with what Begin gave; head is that buffer, of which other parts may be slices too. release,
// which may be nil, is called once when the parts are not used any more. Together they are below
// 2 GiB.
func (r *Request) RespondParts(head []byte, parts [][]byte, release func()) {
	size := -4
	for _, p := range parts {
		size += len(p)
	}
	binary.BigEndian.PutUint32(parts[0], uint32(size))
	r.out, r.parts, r.release = head, parts, release
	r.answer(answered)
}

// NoResponse ends a request that has no answer (produce with acks=0).
func (r *Request) NoResponse() { r.answer(silent) }

// Close closes the connection, as Kafka does where there is no way to answer. cause is logged.
func (r *Request) Close(cause error) {
	r.conn.fail(cause)
	r.answer(silent)
}

// Go runs fn in a goroutine of its own that the server waits for when it closes. Per connection
// there are at most Config.PipelineMax, as each has a request to answer.
func (r *Request) Go(fn func(ctx context.Context)) {
	c := r.conn
	c.mu.Lock()
	c.spawn(func() {
		defer c.recoverPanic(r)
		fn(c.ctx)
	})
	c.mu.Unlock()
}

// WhenFirst calls fn when the answers of all earlier requests of the connection were written: at
// once and inline where that is so already, else later in a goroutine of its own. An answer that
// holds much memory is best made only then.
func (r *Request) WhenFirst(fn func(ctx context.Context)) {
	c := r.conn
	c.mu.Lock()
	if c.queue.front() != r {
		r.first = func() { r.Go(fn) }
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	fn(c.ctx)
}

// answer records the outcome and has it written if it is due and no one else will.
func (r *Request) answer(s state) {
	c := r.conn
	r.FreeBody()
	c.mu.Lock()
	r.state = s
	start := !r.inHandle && !c.writing && c.queue.front() == r
	if start {
		c.writing = true
		c.spawn(c.drain)
	}
	c.mu.Unlock()
}

// FreeBody gives the body's memory and its share of the budget back before the answer: a request
// that waits must not hold either. Body is not usable afterwards.
func (r *Request) FreeBody() {
	if r.buf == nil {
		return
	}
	r.buf.free()
	r.conn.s.budget.release(r.charge)
	r.buf, r.Body, r.charge = nil, nil, 0
}

// reset makes the request fit for reuse.
func (r *Request) reset() {
	out, parts := r.out, r.parts
	if cap(out) > outBytesKept {
		out = nil
	}
	clear(parts[:cap(parts)])
	*r = Request{conn: r.conn, out: out, parts: parts[:0]}
}
