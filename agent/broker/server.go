package broker

import (
	"context"
	"log/slog"
	"net"

	"github.com/prometheus/client_golang/prometheus"
)

// Server accepts connections of one listener.
type Server struct {
	cfg     Config
	handler Handler
	log     *slog.Logger
}

// New makes a server. reg may be nil. The error names the config field at fault.
func New(h Handler, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	return &Server{cfg: cfg, handler: h, log: log}, cfg.Validate()
}

// Serve accepts connections on l until Shutdown, Close or an error of l, and returns nil after
// Shutdown and Close. It closes l.
func (s *Server) Serve(l net.Listener) error { return nil }

// Shutdown stops accepting and reading requests, lets answers that are due leave until ctx ends, then
// closes every connection and waits for their goroutines.
func (s *Server) Shutdown(ctx context.Context) error { return nil }

// Close closes the listener and every connection at once and waits for their goroutines.
func (s *Server) Close() error { return nil }
