package checkpointer

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	saves    prometheus.Counter
	objects  prometheus.Counter
	bytes    prometheus.Counter
	failures prometheus.Counter
	rounds   prometheus.Histogram
	restores *prometheus.CounterVec
}

// newMetrics registers the package's metrics over one Checkpointer; a nil registerer keeps them
// private.
func newMetrics(reg prometheus.Registerer, c *Checkpointer) *metrics {
	auto := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: "varve_checkpointer_" + name, Help: help})
	}
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "varve_checkpointer_oldest_unsaved_seconds",
		Help: "Age of the oldest change of a compacted log that is in no checkpoint.",
	}, c.oldestSeconds)
	return &metrics{
		saves:    counter("saved_partitions_total", "Checkpoints of partitions that were saved."),
		objects:  counter("objects_total", "Objects with checkpoints that were put, failed ones too."),
		bytes:    counter("saved_bytes_total", "Bytes of objects with checkpoints."),
		failures: counter("failures_total", "Saves that failed and are tried again."),
		rounds: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "varve_checkpointer_round_seconds", Help: "Time of a round of saves.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 9),
		}),
		restores: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "varve_checkpointer_restored_partitions_total",
			Help: "Local logs that were restored from checkpoints, by whether records may be lost.",
		}, []string{"possible_loss"}),
	}
}

func (c *Checkpointer) oldestSeconds() float64 {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := now
	for _, t := range c.logs {
		if !t.dirtySince.IsZero() && t.dirtySince.Before(oldest) {
			oldest = t.dirtySince
		}
	}
	return now.Sub(oldest).Seconds()
}
