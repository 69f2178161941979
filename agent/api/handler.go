package api

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varve-log/varve/agent/broker"
)

// Handler answers the requests that the broker decoded the headers of.
type Handler struct {
	backend Backend
	cfg     Config
	log     *slog.Logger
	metrics *Metrics
}

var _ broker.Handler = (*Handler)(nil)

// Config holds the handlers' limits.
type Config struct {
	// FetchBytesMax bounds the bytes of all fetch answers that are read but not written yet, over all
	// connections. Unit bytes, default 256 MiB, at least 1 MiB.
	FetchBytesMax int64
	// MaxFetchBytes caps one fetch answer whatever the client asks for (Kafka's fetch.max.bytes). Unit
	// bytes, default 55 MiB, at least 1 KiB.
	MaxFetchBytes int32
}

// DefaultConfig gives the documented defaults.
func DefaultConfig() Config {
	return Config{FetchBytesMax: 256 << 20, MaxFetchBytes: 55 << 20}
}

// New makes a handler over a backend. reg may be nil.
func New(b Backend, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Handler, error) {
	return &Handler{backend: b, cfg: cfg, log: log, metrics: NewMetrics(reg)}, nil
}

// APIs lists the API keys and versions that are advertised and work.
func (h *Handler) APIs() []broker.API { return nil }

// Handle answers one request. It is called in the order of a connection's requests.
func (h *Handler) Handle(ctx context.Context, r *broker.Request) {}

// Metrics of the handlers.
type Metrics struct{}

// NewMetrics registers the handlers' metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics { return &Metrics{} }
