package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Server accepts connections of one or more listeners.
type Server struct {
	cfg      Config
	handler  Handler
	apis     apiTable
	log      *slog.Logger
	metrics  *Metrics
	budget   *budget
	epoch    time.Time // origin of now
	ctx      context.Context
	cancel   context.CancelFunc
	stopping atomic.Bool
	stop     chan struct{}  // closed when stopping is set
	wg       sync.WaitGroup // connections, their writers, the sweeper

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]string // to the peer's IP
	perIP     map[string]int
}

// New makes a server; Close ends it. reg may be nil. The error names the config field at fault.
func New(h Handler, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	apis := h.APIs()
	s := &Server{
		cfg: cfg, handler: h, log: log, apis: newAPITable(apis),
		metrics: NewMetrics(reg, apis), budget: newBudget(cfg.RequestBytesMax), epoch: time.Now(),
		listeners: make(map[net.Listener]struct{}), conns: make(map[*conn]string),
		perIP: make(map[string]int), stop: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.sweep)
	return s, nil
}

// Serve accepts connections on l until Shutdown, Close or an error of l, and returns nil after
// Shutdown and Close. It closes l.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	s.mu.Lock()
	if s.stopping.Load() {
		s.mu.Unlock()
		return nil
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.stopping.Load() {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				continue
			}
			if outOfFiles(err) {
				s.log.Warn("accept failed for lack of file descriptors", "err", err)
				s.pause()
				continue
			}
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		s.accept(nc)
	}
}

// accept serves a connection or refuses it.
func (s *Server) accept(nc net.Conn) {
	ip := ipOf(nc.RemoteAddr())
	s.mu.Lock()
	full := len(s.conns) >= s.cfg.ConnectionsMax || s.perIP[ip] >= s.cfg.ConnectionsPerIPMax
	if full || s.stopping.Load() {
		s.mu.Unlock()
		_ = nc.Close()
		if full {
			s.metrics.closed.WithLabelValues(reasonOf(ErrTooMany)).Inc()
		}
		return
	}
	c := newConn(s, nc)
	s.conns[c] = ip
	s.perIP[ip]++
	s.wg.Add(1)
	s.mu.Unlock()
	s.metrics.accepted.Inc()
	s.metrics.connections.Inc()
	go func() {
		defer s.wg.Done()
		c.serve()
		s.forget(c)
	}()
}

// forget removes an ended connection.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	ip := s.conns[c]
	delete(s.conns, c)
	if s.perIP[ip]--; s.perIP[ip] == 0 {
		delete(s.perIP, ip)
	}
	s.mu.Unlock()
	s.metrics.connections.Dec()
}

// Shutdown stops accepting and reading requests, lets answers that are due leave until ctx ends,
// then closes every connection and waits for their goroutines. The error is ctx's if answers were
// cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	for _, c := range s.connections() {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the reading goroutine
	}
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if len(s.connections()) == 0 || ctx.Err() != nil {
				close(done)
				return
			}
		}
	}()
	<-done
	err := ctx.Err()
	if len(s.connections()) == 0 {
		err = nil
	}
	return errors.Join(err, s.Close())
}

// Close closes the listeners and every connection at once and waits for their goroutines.
func (s *Server) Close() error {
	s.stopAccepting()
	for _, c := range s.connections() {
		c.fail(errStopping)
	}
	s.cancel()
	s.wg.Wait()
	return nil
}

func (s *Server) stopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping.Swap(true) {
		close(s.stop)
	}
	for l := range s.listeners {
		_ = l.Close()
		delete(s.listeners, l)
	}
}

func (s *Server) connections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		cs = append(cs, c)
	}
	return cs
}

// ipOf is the part of an address that connections are counted by.
func ipOf(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String()
	}
	return a.String()
}
