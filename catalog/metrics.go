package catalog

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what a catalog does.
type Metrics struct {
	commits       *prometheus.CounterVec
	commitChanges prometheus.Counter
	commitSeconds prometheus.Histogram
	conflicts     *prometheus.CounterVec
	edits         *prometheus.CounterVec
	editSeconds   prometheus.Histogram
	refreshes     *prometheus.CounterVec
	snapshots     *prometheus.CounterVec
	pageLoads     *prometheus.CounterVec
	version       prometheus.Gauge
}

// NewMetrics registers the catalog's metrics; reg may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	buckets := prometheus.ExponentialBuckets(0.001, 2, 15)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return &Metrics{
		commits: counter("varve_catalog_commits_total",
			"Commits of the cluster head by outcome.", "outcome"),
		commitChanges: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_catalog_commit_changes_total",
			Help: "Groups of changes that commits of the cluster head carried.",
		}),
		commitSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "varve_catalog_commit_duration_seconds",
			Help: "Time of a commit of the cluster head with its retries.", Buckets: buckets,
		}),
		conflicts: counter("varve_catalog_conflicts_total",
			"Swaps that another writer won, by kind of head.", "head"),
		edits: counter("varve_catalog_manifest_edits_total",
			"Edits of partition manifests by outcome.", "outcome"),
		editSeconds: f.NewHistogram(prometheus.HistogramOpts{
			Name: "varve_catalog_manifest_edit_duration_seconds",
			Help: "Time of an edit of a partition manifest with its retries.", Buckets: buckets,
		}),
		refreshes: counter("varve_catalog_refreshes_total",
			"Looks at the cluster head by outcome.", "outcome"),
		snapshots: counter("varve_catalog_snapshots_total",
			"Snapshots of the cluster state by outcome.", "outcome"),
		pageLoads: counter("varve_catalog_page_loads_total",
			"Manifest pages asked for, by whether they were cached.", "cached"),
		version: f.NewGauge(prometheus.GaugeOpts{
			Name: "varve_catalog_head_version", Help: "Version of the cluster head in use.",
		}),
	}
}

// outcome is the label for how an operation ended.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	return "error"
}
