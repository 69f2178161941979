package readpath

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	hotFetches    prometheus.Counter
	hotBytes      prometheus.Counter
	coldFetches   prometheus.Counter
	coldBytes     prometheus.Counter
	cursorsOpened prometheus.Counter
	corrupt       prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return auto.NewCounter(prometheus.CounterOpts{Name: "varve_readpath_" + name, Help: help})
	}
	return &metrics{
		hotFetches:    counter("hot_fetches_total", "Partition fetches answered from local disk."),
		hotBytes:      counter("hot_bytes_total", "Bytes answered from local disk."),
		coldFetches:   counter("cold_fetches_total", "Partition fetches answered from the bucket."),
		coldBytes:     counter("cold_bytes_total", "Bytes answered from the bucket."),
		cursorsOpened: counter("cursors_opened_total", "Sequential cold readers recognised."),
		corrupt:       counter("corrupt_total", "Cold fetches that met corrupt objects."),
	}
}
