package coordinate

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts over all shards of one internal topic.
type Metrics struct {
	loaded                      prometheus.Gauge
	loadSeconds                 prometheus.Histogram
	appended, skipped, failures prometheus.Counter
}

// NewMetrics registers with reg, which may be nil, under the topic's label.
func NewMetrics(reg prometheus.Registerer, topic string) *Metrics {
	f := promauto.With(reg)
	labels := prometheus.Labels{"topic": topic}
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{
			Namespace: "varve", Subsystem: "coordinate", Name: name, Help: help, ConstLabels: labels,
		})
	}
	return &Metrics{
		loaded: f.NewGauge(prometheus.GaugeOpts{
			Namespace: "varve", Subsystem: "coordinate", Name: "partitions_loaded",
			Help: "Partitions that this agent coordinates now.", ConstLabels: labels,
		}),
		loadSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "varve", Subsystem: "coordinate", Name: "load_seconds",
			Help:    "Time from the lead of a partition to its coordinator's service.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8), ConstLabels: labels,
		}),
		appended: counter("records_appended_total", "Records written by coordinators."),
		skipped:  counter("records_skipped_total", "Records in no known format met while loading."),
		failures: counter("append_failures_total", "Appends that failed, after which all is loaded again."),
	}
}
