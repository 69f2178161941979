package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// echo answers every request with its body, by the rule of its first byte.
type echo struct {
	mu      sync.Mutex
	held    []*Request // 'h': answered when told
	bodies  chan string
	blocked chan struct{} // 'b': waits for it
}

func newEcho() *echo {
	return &echo{bodies: make(chan string, 1000), blocked: make(chan struct{})}
}

func (e *echo) APIs() []API {
	return []API{
		{Key: 0, Min: 0, Max: 3, FlexibleFrom: 2, Name: "Produce"},
		{Key: 3, Min: 0, Max: 1, FlexibleFrom: -1, Name: "Small", BytesMax: 100},
		{Key: apiVersionsKey, Min: 0, Max: 4, FlexibleFrom: 3, Name: "ApiVersions"},
	}
}

func (e *echo) Handle(_ context.Context, r *Request) {
	body := string(r.Body)
	e.bodies <- body
	kind := byte('e')
	if body != "" {
		kind = body[0]
	}
	switch kind {
	case 'h':
		e.mu.Lock()
		e.held = append(e.held, r)
		e.mu.Unlock()
	case 'n':
		r.NoResponse()
	case 'c':
		r.Close(ErrMalformed)
	case 'p':
		panic("on purpose")
	case 'b':
		<-e.blocked
		r.Respond(append(r.Begin(), body...))
	case 'f':
		r.WhenFirst(func(context.Context) { r.Respond(append(r.Begin(), "first"...)) })
	case 'g':
		r.Go(func(context.Context) { r.Respond(append(r.Begin(), body...)) })
	case 'L':
		head := append(r.Begin(), 'L')
		parts := append(r.Parts(), head, make([]byte, 3<<20), []byte("tail"))
		r.RespondParts(head, parts, func() { e.bodies <- "released" })
	default:
		r.Respond(append(r.Begin(), body...))
	}
}

// answer answers the oldest held request, or the newest.
func (e *echo) answer(newest bool) {
	e.mu.Lock()
	i := 0
	if newest {
		i = len(e.held) - 1
	}
	r := e.held[i]
	e.held = append(e.held[:i:i], e.held[i+1:]...)
	e.mu.Unlock()
	r.Respond(append(r.Begin(), r.Body...))
}

func start(t testing.TB, h Handler, edit func(c *Config)) (*Server, string) {
	t.Helper()
	cfg := DefaultConfig()
	if edit != nil {
		edit(&cfg)
	}
	s, err := New(h, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
		if used := s.budget.used(); used != 0 {
			t.Errorf("%d bytes of the budget are not given back", used)
		}
	})
	return s, l.Addr().String()
}

// frame is a request with a version 1 header.
func frame(key, version int16, id int32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(10+4+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(id))
	b = append(b, 0, 4, 't', 'e', 's', 't')
	return append(b, body...)
}

type peer struct {
	t testing.TB
	net.Conn
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &peer{t, c}
}

func (p *peer) send(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// next reads one answer.
func (p *peer) next() (id int32, body string) {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(5 * time.Second))
	var head [4]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		p.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(p, b); err != nil {
		p.t.Fatal(err)
	}
	return int32(binary.BigEndian.Uint32(b)), string(b[4:])
}

func (p *peer) expect(id int32, body string) {
	p.t.Helper()
	if gotID, got := p.next(); gotID != id || got != body {
		p.t.Fatalf("answer %d %q, want %d %q", gotID, got, id, body)
	}
}

func (p *peer) expectClosed() {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(5 * time.Second))
	b, err := io.ReadAll(p)
	var op net.Error
	if len(b) > 0 || errors.As(err, &op) && op.Timeout() {
		p.t.Fatalf("connection is open: %x %v", b, err)
	}
}

// waitFor polls until ok or a deadline.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("not in time")
		}
	}
}

func TestAnswersKeepTheOrder(t *testing.T) {
	e := newEcho()
	_, addr := start(t, e, nil)
	p := dial(t, addr)
	var all []byte
	for i, body := range []string{"e0", "h1", "e2", "h3", "n4", "g5", "f6", "e7"} {
		all = append(all, frame(0, 1, int32(i), body)...)
	}
	p.send(all)
	p.expect(0, "e0")
	waitFor(t, func() bool { return len(e.bodies) == 8 })
	e.answer(true) // 3 before 1
	e.answer(true)
	p.expect(1, "h1")
	p.expect(2, "e2")
	p.expect(3, "h3")
	p.expect(5, "g5")
	p.expect(6, "first")
	p.expect(7, "e7")
}

// TestFrameSplitting: frames arrive in pieces of every size, and many in one piece.
func TestFrameSplitting(t *testing.T) {
	e := newEcho()
	_, addr := start(t, e, nil)
	large := "e" + string(bytes.Repeat([]byte{'x'}, 3*lookaheadBytes))
	bodies := []string{"", "e", "eabc", large, "e1", large, "e2"}
	var all []byte
	for i, body := range bodies {
		all = append(all, frame(0, 1, int32(i), body)...)
	}
	for _, step := range []int{1, 3, 7, 1000, lookaheadBytes, lookaheadBytes + 1, len(all)} {
		p := dial(t, addr)
		go func() {
			for at := 0; at < len(all); at += step {
				if _, err := p.Write(all[at:min(at+step, len(all))]); err != nil {
					return
				}
			}
		}()
		for i, body := range bodies {
			p.expect(int32(i), body)
			<-e.bodies
		}
	}
}

func TestLargeFrameGrows(t *testing.T) {
	e := newEcho()
	_, addr := start(t, e, nil)
	p := dial(t, addr)
	body := "e" + string(bytes.Repeat([]byte("0123456789"), 700_000))
	go func() { _, _ = p.Write(append(frame(0, 1, 1, body), frame(0, 1, 2, "e")...)) }()
	p.expect(1, body)
	p.expect(2, "e")
}

func TestLargeAnswer(t *testing.T) {
	e := newEcho()
	_, addr := start(t, e, nil)
	p := dial(t, addr)
	p.send(append(frame(0, 1, 1, "L"), frame(0, 1, 2, "e")...))
	if _, body := p.next(); len(body) != 1+3<<20+4 || body[len(body)-4:] != "tail" {
		t.Errorf("%d bytes", len(body))
	}
	p.expect(2, "e")
	waitFor(t, func() bool { return len(e.bodies) == 3 })
}

func TestHeaders(t *testing.T) {
	e := newEcho()
	_, addr := start(t, e, nil)
	p := dial(t, addr)
	p.send(frame(0, 2, 7, "\x00eflexible"))
	p.expect(7, "\x00eflexible")
	p.send(frame(0, 2, 8, "\x02\x00\x01x\x05\x00etags"))
	p.expect(8, "\x00etags")
	p.send(frame(apiVersionsKey, 99, 9, "\x00eany"))
	p.expect(9, "eany") // version 0 of the response header
	p.send([]byte{0, 0, 0, 11, 0, 0, 0, 1, 0, 0, 0, 5, 255, 255, 'e'})
	p.expect(5, "e") // null client id
}

func TestHostileFramesCloseTheConnection(t *testing.T) {
	e := newEcho()
	s, addr := start(t, e, nil)
	size := func(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	for name, b := range map[string][]byte{
		"negative":        size(-1),
		"zero":            size(0),
		"short":           append(size(8), make([]byte, 8)...),
		"too large":       size(100<<20 + 1),
		"http":            []byte("GET / HTTP/1.1\r\n\r\n"),
		"tls":             {22, 3, 1, 2, 0, 1, 0, 1},
		"unknown key":     frame(77, 0, 1, ""),
		"negative key":    frame(-3, 0, 1, ""),
		"version":         frame(0, 4, 1, "e"),
		"version below":   frame(0, -1, 1, "e"),
		"above its bound": frame(3, 0, 1, string(make([]byte, 200))),
		"client id":       append(size(10), 0, 0, 0, 0, 0, 0, 0, 0, 127, 255),
		"negative id":     append(size(10), 0, 0, 0, 0, 0, 0, 0, 0, 255, 0),
		"tags":            frame(0, 2, 1, "\xff\xff\xff\xff\x0f"),
		"tag size":        frame(0, 2, 1, "\x01\x00\x7fx"),
		"no tags":         frame(0, 2, 1, ""),
		"malformed":       frame(0, 0, 1, "c"),
		"panic":           frame(0, 0, 1, "p"),
	} {
		p := dial(t, addr)
		p.send(b)
		t.Log(name)
		p.expectClosed()
	}
	p := dial(t, addr)
	p.send(frame(0, 0, 1, "e"))
	p.expect(1, "e")
	if n := testutil.ToFloat64(s.metrics.closed.WithLabelValues("frame_size")); n < 5 {
		t.Errorf("%v connections counted as closed for frame size", n)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s, addr := start(t, newEcho(), func(c *Config) { c.ConnectionsPerIPMax = 2 })
	a, b := dial(t, addr), dial(t, addr)
	for _, p := range []*peer{a, b} {
		p.send(frame(0, 0, 1, "e"))
		p.expect(1, "e")
	}
	dial(t, addr).expectClosed()
	_ = a.Close()
	waitFor(t, func() bool { return len(s.connections()) == 1 })
	c := dial(t, addr)
	c.send(frame(0, 0, 2, "e"))
	c.expect(2, "e")
}

func TestPipelineIsBounded(t *testing.T) {
	e := newEcho()
	_, addr := start(t, e, func(c *Config) { c.PipelineMax = 4 })
	p := dial(t, addr)
	for i := range 10 {
		p.send(frame(0, 1, int32(i), "h"))
	}
	waitFor(t, func() bool { return len(e.bodies) == 4 })
	for i := range 10 {
		waitFor(t, func() bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			return len(e.held) > 0
		})
		if read := len(e.bodies); read > i+4 {
			t.Fatalf("%d requests read, %d answered", read, i)
		}
		e.answer(false)
		p.expect(int32(i), "h")
	}
}

// TestShutdownLetsAnswersLeave: no further request is read, those that were are answered.
func TestShutdownLetsAnswersLeave(t *testing.T) {
	e := newEcho()
	s, addr := start(t, e, nil)
	p, idle := dial(t, addr), dial(t, addr)
	p.send(frame(0, 1, 1, "h"))
	waitFor(t, func() bool { return len(e.bodies) == 1 })
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	idle.expectClosed()
	e.answer(false)
	p.expect(1, "h")
	p.expectClosed()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("still accepts")
	}
}

func TestShutdownGivesUp(t *testing.T) {
	e := newEcho()
	s, addr := start(t, e, nil)
	p := dial(t, addr)
	p.send(frame(0, 1, 1, "h"))
	waitFor(t, func() bool { return len(e.bodies) == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	e.answer(false) // to no one
}
