package metered

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/varve-log/varve/internal/objstore"
)

// Metrics are the counters of all stores of one agent.
type Metrics struct {
	// Requests is varve_objstore_requests_total by op and outcome.
	Requests *prometheus.CounterVec
	// Bytes is varve_objstore_bytes_total by op and direction: "in" to us, "out" to the store.
	Bytes *prometheus.CounterVec
	// Seconds is varve_objstore_request_seconds by op: until the answer begins for a get, else until
	// it is complete.
	Seconds *prometheus.HistogramVec
}

// NewMetrics makes and registers the metrics; with a nil registerer they count unregistered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		Requests: f.NewCounterVec(prometheus.CounterOpts{
			Name: "varve_objstore_requests_total",
			Help: "Requests to the object store by operation and outcome.",
		}, []string{"op", "outcome"}),
		Bytes: f.NewCounterVec(prometheus.CounterOpts{
			Name: "varve_objstore_bytes_total",
			Help: "Bytes of object bodies by operation and direction (in from, out to the store).",
		}, []string{"op", "direction"}),
		Seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "varve_objstore_request_seconds",
			Help:    "Time until the object store has answered (a get: until its body begins).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 17), // 0.5 ms .. 33 s
		}, []string{"op"}),
	}
}

// outcome is the label's value for an error; the set is small and fixed.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, objstore.ErrNotFound):
		return "not_found"
	case errors.Is(err, objstore.ErrConflict):
		return "conflict"
	case errors.Is(err, objstore.ErrUnknownOutcome):
		return "unknown"
	case errors.Is(err, objstore.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, objstore.ErrDenied):
		return "denied"
	case errors.Is(err, objstore.ErrChecksum):
		return "checksum"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "cancelled"
	default:
		return "error"
	}
}
