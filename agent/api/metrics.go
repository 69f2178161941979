package api

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Metrics of the handlers.
type Metrics struct {
	producedBytes   prometheus.Counter
	producedBatches prometheus.Counter
	fetchedBytes    prometheus.Counter
	errors          *prometheus.CounterVec

	sessions          prometheus.Gauge
	sessionPartitions prometheus.Gauge
	sessionEvictions  prometheus.Counter
}

// NewMetrics registers the handlers' metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		producedBytes: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_api_produced_bytes_total", Help: "Bytes of appended record batches.",
		}),
		producedBatches: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_api_produced_batches_total", Help: "Appended record batches.",
		}),
		fetchedBytes: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_api_fetched_bytes_total", Help: "Bytes of fetched record batches.",
		}),
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "varve_api_partition_errors_total",
			Help: "Partitions answered with an error in produce and fetch, by API and error.",
		}, []string{"api", "error"}),
		sessions: f.NewGauge(prometheus.GaugeOpts{
			Name: "varve_api_fetch_sessions", Help: "Incremental fetch sessions (KIP-227).",
		}),
		sessionPartitions: f.NewGauge(prometheus.GaugeOpts{
			Name: "varve_api_fetch_session_partitions", Help: "Partitions of all fetch sessions.",
		}),
		sessionEvictions: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_api_fetch_session_evictions_total",
			Help: "Fetch sessions that made room for others.",
		}),
	}
}

// failed counts a partition that was answered with a code.
func (m *Metrics) failed(api string, c code) {
	if c != codeNone {
		m.errors.WithLabelValues(api, errorName(c)).Inc()
	}
}

// errorName is Kafka's name of a code.
func errorName(c code) string {
	if e := kerr.TypedErrorForCode(c); e != nil {
		return e.Message
	}
	return strconv.Itoa(int(c))
}
