package tiering

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	sealedSegments   prometheus.Counter
	sealedBytes      prometheus.Counter
	sealSeconds      prometheus.Histogram
	lagSeconds       prometheus.Histogram
	uploads          prometheus.Counter
	uploadFailures   prometheus.Counter
	verifyFailures   prometheus.Counter
	failures         prometheus.Counter
	expirations      prometheus.Counter
	releasedSegments prometheus.Counter
	releasedBytes    prometheus.Counter
}

// newMetrics registers the package's metrics over one Sealer; a nil registerer keeps them private.
func newMetrics(reg prometheus.Registerer, s *Sealer) *metrics {
	auto := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: "varve_tiering_" + name, Help: help})
	}
	seconds := func(name, help string) prometheus.Histogram {
		return auto.NewHistogram(prometheus.HistogramOpts{
			Name: "varve_tiering_" + name, Help: help,
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 9),
		})
	}
	gauge := func(name, help string, of func(view) float64) {
		auto.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "varve_tiering_" + name, Help: help,
		}, func() float64 { return s.sum(of) })
	}
	gauge("backlog_segments", "Rolled segments that are not sealed.",
		func(v view) float64 { return float64(v.backlogSegments) })
	gauge("backlog_bytes", "Bytes of rolled segments that are not sealed.",
		func(v view) float64 { return float64(v.backlogBytes) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "varve_tiering_oldest_unsealed_seconds",
		Help: "Age of the oldest record that is not sealed.",
	}, s.oldestSeconds)
	return &metrics{
		sealedSegments:   counter("sealed_segments_total", "Segments sealed."),
		sealedBytes:      counter("sealed_bytes_total", "Bytes of sealed objects."),
		sealSeconds:      seconds("seal_seconds", "Time to compute, upload and commit a segment."),
		lagSeconds:       seconds("roll_to_commit_seconds", "Time from a segment's roll to its commit."),
		uploads:          counter("uploads_total", "Uploads begun."),
		uploadFailures:   counter("upload_failures_total", "Uploads that failed."),
		verifyFailures:   counter("verify_failures_total", "Objects not as they were committed."),
		failures:         counter("failures_total", "Steps that failed and will be tried again."),
		expirations:      counter("expirations_total", "Times that retention moved a log start offset."),
		releasedSegments: counter("released_segments_total", "Local segments released."),
		releasedBytes:    counter("released_bytes_total", "Bytes of local segments released."),
	}
}

func (s *Sealer) sum(of func(view) float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0.0
	for _, p := range s.parts {
		total += of(p.view)
	}
	return total
}

func (s *Sealer) oldestSeconds() float64 {
	now := s.now()
	oldest := now
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		if at := p.view.oldest; !at.IsZero() && at.Before(oldest) {
			oldest = at
		}
	}
	return now.Sub(oldest).Seconds()
}
