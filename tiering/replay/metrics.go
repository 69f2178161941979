package replay

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of the package. Use NewMetrics.
type Metrics struct {
	ReadBytes    prometheus.Counter
	Runs         prometheus.Counter
	CorruptReads prometheus.Counter
	Skips        prometheus.Counter
}

// NewMetrics registers the package's metrics; a nil registerer keeps them private.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: "varve_replay_" + name, Help: help})
	}
	return &Metrics{
		ReadBytes:    counter("read_bytes_total", "Bytes of segments got from the bucket."),
		Runs:         counter("runs_total", "Runs of batches given out."),
		CorruptReads: counter("corrupt_reads_total", "Chunks that failed their block checksums."),
		Skips:        counter("skips_total", "Ranges passed over as corrupt or missing."),
	}
}
