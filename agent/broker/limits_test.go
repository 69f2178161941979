package broker

import (
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipe makes a connection of a server in the bubble of a synctest.
func pipe(t testing.TB, h Handler, edit func(c *Config)) (*Server, net.Conn) {
	t.Helper()
	cfg := DefaultConfig()
	if edit != nil {
		edit(&cfg)
	}
	s, err := New(h, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	s.accept(server)
	t.Cleanup(func() {
		_ = client.Close()
		_ = s.Close()
	})
	return s, client
}

// open reports whether the server has the connection after d.
func open(s *Server, d time.Duration) bool {
	<-time.After(d)
	synctest.Wait()
	return len(s.connections()) == 1
}

func TestIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := pipe(t, newEcho(), nil)
		if !open(s, 9*time.Minute) {
			t.Fatal("closed too early")
		}
		go func() { _, _ = c.Write(frame(0, 1, 1, "e")) }()
		if _, err := io.ReadFull(c, make([]byte, 9)); err != nil {
			t.Fatal(err)
		}
		if !open(s, 9*time.Minute) {
			t.Fatal("a request does not count")
		}
		if open(s, time.Minute+2*sweepEvery) {
			t.Error("still open")
		}
	})
}

// TestWaitingRequestIsNotIdle: a connection with an answer due stays.
func TestWaitingRequestIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := pipe(t, newEcho(), nil)
		go func() { _, _ = c.Write(frame(0, 1, 1, "h")) }()
		if !open(s, time.Hour) {
			t.Error("closed")
		}
	})
}

func TestSlowFrameIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := pipe(t, newEcho(), nil)
		go func() { _, _ = c.Write(frame(0, 1, 1, "never whole")[:20]) }()
		if !open(s, 29*time.Second) {
			t.Fatal("closed too early")
		}
		if open(s, 3*time.Second) {
			t.Error("still open")
		}
	})
}

// TestSlowReaderIsBounded: a client that does not read its answers is read from no more once the
// pipeline is full, and closed after a while.
func TestSlowReaderIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		s, c := pipe(t, e, func(c *Config) { c.PipelineMax = 5 })
		go func() {
			for i := range 100 {
				if _, err := c.Write(frame(0, 1, int32(i), "g")); err != nil {
					return
				}
			}
		}()
		if !open(s, 29*time.Second) {
			t.Fatal("closed too early")
		}
		if n := len(e.bodies); n > 6 {
			t.Errorf("%d requests read", n)
		}
		if open(s, 3*time.Second) {
			t.Error("still open")
		}
	})
}

// TestRequestBytesAreBounded: frames wait for the budget, in order, and one that gets none is
// closed.
func TestRequestBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEcho()
		s, c := pipe(t, e, func(c *Config) { c.FrameBytesMax, c.RequestBytesMax = 4<<20, 8<<20 })
		const taken = 8 << 20
		if _, ok := s.budget.acquire(taken, nil); !ok {
			t.Fatal("no budget")
		}
		go func() { _, _ = c.Write(frame(0, 1, 1, "e")) }()
		synctest.Wait()
		if len(e.bodies) != 0 {
			t.Fatal("handled beyond the budget")
		}
		s.budget.release(taken)
		if _, err := io.ReadFull(c, make([]byte, 9)); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.budget.acquire(taken, nil); !ok {
			t.Fatal("no budget")
		}
		go func() { _, _ = c.Write(frame(0, 1, 2, "e")) }()
		if open(s, 32*time.Second) {
			t.Error("still open")
		}
		s.budget.release(taken)
	})
}

// TestMemoryFollowsBytes: a frame that claims much and sends little holds little.
func TestMemoryFollowsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := pipe(t, newEcho(), nil)
		claim := binary.BigEndian.AppendUint32(nil, 100<<20)
		go func() { _, _ = c.Write(append(claim, make([]byte, 1000)...)) }()
		synctest.Wait()
		if used := s.budget.used(); used == 0 || used > firstBytesMax {
			t.Errorf("%d bytes held", used)
		}
	})
}

func TestBudgetServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10)
		b.acquire(8, nil)
		order := make(chan int64, 3)
		for _, n := range []int64{6, 2, 100} {
			go func() {
				if got, ok := b.acquire(n, nil); ok {
					order <- n
					b.release(got)
				}
			}()
			synctest.Wait()
		}
		gone := make(chan struct{})
		close(gone)
		if _, ok := b.acquire(1, gone); ok {
			t.Error("acquired past those who wait")
		}
		b.release(8)
		synctest.Wait()
		if len(order) != 3 || b.used() != 0 {
			t.Fatalf("%d served, %d bytes used", len(order), b.used())
		}
		<-order
		<-order
		if last := <-order; last != 100 {
			t.Errorf("the last in the queue wanted 100, served last was %d", last)
		}
	})
}

func TestConfigValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, edit := range []func(c *Config){
		func(c *Config) { c.FrameBytesMax = 5 },
		func(c *Config) { c.RequestBytesMax = 5 },
		func(c *Config) { c.PipelineMax = 0 },
		func(c *Config) { c.IdleMax = -1 },
	} {
		c := DefaultConfig()
		edit(&c)
		if c.Validate() == nil {
			t.Errorf("accepted %+v", c)
		}
	}
}
