package hotlog

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts over all logs of an agent.
type Metrics struct {
	appendBytes, readBytes        prometheus.Counter
	rolls, flushes, checkpoints   prometheus.Counter
	duplicates, refused           prometheus.Counter
	producersExpired              prometheus.Counter
	writeErrors, failures         prometheus.Counter
	recoveredBytes, truncateBytes prometheus.Counter
	indexRebuilds, cleanedBytes   prometheus.Counter
	flushSeconds                  prometheus.Histogram
}

// NewMetrics registers with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{
			Namespace: "varve", Subsystem: "hotlog", Name: name, Help: help,
		})
	}
	return &Metrics{
		appendBytes:      counter("append_bytes_total", "Bytes of record batches appended."),
		readBytes:        counter("read_bytes_total", "Bytes of record batches read."),
		rolls:            counter("rolls_total", "Segments closed."),
		flushes:          counter("flushes_total", "Syncs of segment data."),
		checkpoints:      counter("checkpoints_total", "Checkpoints written."),
		duplicates:       counter("duplicates_total", "Appends that repeated a batch."),
		refused:          counter("refused_total", "Appends refused before a write."),
		producersExpired: counter("producers_expired_total", "Producer states forgotten by age."),
		writeErrors:      counter("write_errors_total", "Writes that failed."),
		failures:         counter("failures_total", "Logs that failed until reopened."),
		recoveredBytes:   counter("recovered_bytes_total", "Bytes scanned while opening logs."),
		truncateBytes:    counter("truncated_bytes_total", "Bytes cut off: torn tails, truncations."),
		cleanedBytes:     counter("cleaned_bytes_total", "Bytes that cleanings freed."),
		indexRebuilds:    counter("index_rebuilds_total", "Indexes made again from batches."),
		flushSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Namespace: "varve", Subsystem: "hotlog", Name: "flush_seconds",
			Help:    "Duration of syncs of segment data.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9),
		}),
	}
}
