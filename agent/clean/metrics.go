package clean

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/varve-log/varve/agent/hotlog"
)

// metrics are Kafka's of kafka.log:type=LogCleaner and LogCleanerManager, and sums of bytes.
type metrics struct {
	cleanings, readBytes, writtenBytes prometheus.Counter
	recopy, buffer, seconds            prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, c *Cleaner) *metrics {
	f := promauto.With(reg)
	counter := func(name, help string) prometheus.Counter {
		return f.NewCounter(prometheus.CounterOpts{
			Namespace: "varve", Subsystem: "clean", Name: name, Help: help,
		})
	}
	options := func(name, help string) prometheus.GaugeOpts {
		return prometheus.GaugeOpts{Namespace: "varve", Subsystem: "clean", Name: name, Help: help}
	}
	locked := func(value func() float64) func() float64 {
		return func() float64 {
			c.mu.Lock()
			defer c.mu.Unlock()
			return value()
		}
	}
	f.NewGaugeFunc(options("max_dirty_percent", "Dirty share of the dirtiest compacted log."),
		locked(func() float64 { return 100 * c.dirtiest }))
	f.NewGaugeFunc(options("since_last_run_seconds", "Time since the cleaner last looked at the logs."),
		locked(func() float64 { return time.Since(c.lastLook).Seconds() }))
	f.NewGaugeFunc(options("max_compaction_delay_seconds",
		"How long after max.compaction.lag.ms the last cleaning came."),
		locked(func() float64 { return c.delay.Seconds() }))
	f.NewGaugeFunc(options("uncleanable_partitions", "Compacted logs that cannot be cleaned."),
		func() float64 { return float64(len(c.uncleanable())) })
	f.NewGaugeFunc(options("uncleanable_bytes", "Dirty bytes of logs that cannot be cleaned."),
		func() float64 {
			total := int64(0)
			for _, l := range c.uncleanable() {
				cleanable := l.Cleanable(time.Now())
				total += cleanable.DirtyBytes
			}
			return float64(total)
		})
	return &metrics{
		cleanings:    counter("cleanings_total", "Cleanings of logs that came to their end."),
		readBytes:    counter("read_bytes_total", "Bytes read to clean logs."),
		writtenBytes: counter("written_bytes_total", "Bytes that cleanings wrote."),
		recopy:       f.NewGauge(options("recopy_percent", "Share kept by the last cleaning.")),
		buffer: f.NewGauge(options("buffer_utilization_percent",
			"How full the last cleaning's buffer of keys was.")),
		seconds: f.NewGauge(options("last_clean_seconds", "How long the last cleaning took.")),
	}
}

func (m *metrics) note(done hotlog.Cleaned, took time.Duration) {
	m.readBytes.Add(float64(done.IndexedBytes + done.BytesRead))
	m.writtenBytes.Add(float64(done.BytesKept))
	m.recopy.Set(100 * float64(done.BytesKept) / float64(max(done.BytesRead, 1)))
	m.buffer.Set(100 * done.MapUtilization)
	m.seconds.Set(took.Seconds())
}
