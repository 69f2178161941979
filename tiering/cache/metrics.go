package cache

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of the package. Use NewMetrics.
type Metrics struct {
	Hits          prometheus.Counter
	Misses        prometheus.Counter
	Joins         prometheus.Counter
	FillBytes     prometheus.Counter
	FillFailures  prometheus.Counter
	Evictions     prometheus.Counter
	DiskFailures  prometheus.Counter
	CorruptPages  prometheus.Counter
	UsedBytes     prometheus.Gauge
	FooterHits    prometheus.Counter
	FooterMisses  prometheus.Counter
	FooterBytes   prometheus.Gauge
	FooterEvicted prometheus.Counter
}

// NewMetrics registers the package's metrics; a nil registerer keeps them private.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: "varve_cache_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return auto.NewGauge(prometheus.GaugeOpts{Name: "varve_cache_" + name, Help: help})
	}
	return &Metrics{
		Hits:          counter("hits_total", "Blocks found on the local disk."),
		Misses:        counter("misses_total", "Blocks that had to be got from the bucket."),
		Joins:         counter("joins_total", "Reads that joined another's fill."),
		FillBytes:     counter("fill_bytes_total", "Bytes got from the bucket."),
		FillFailures:  counter("fill_failures_total", "Fills that failed."),
		Evictions:     counter("evictions_total", "Blocks evicted for others."),
		DiskFailures:  counter("disk_failures_total", "Reads and writes the local disk refused."),
		CorruptPages:  counter("corrupt_pages_total", "Pages the local disk gave back changed."),
		UsedBytes:     gauge("used_bytes", "Bytes of objects on the local disk."),
		FooterHits:    counter("footer_hits_total", "Footers found in memory."),
		FooterMisses:  counter("footer_misses_total", "Footers got from the bucket."),
		FooterBytes:   gauge("footer_bytes", "Bytes of footers in memory."),
		FooterEvicted: counter("footer_evictions_total", "Footers evicted for others."),
	}
}
