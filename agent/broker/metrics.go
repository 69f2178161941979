package broker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics of a listener.
type Metrics struct {
	connections prometheus.Gauge
	accepted    prometheus.Counter
	closed      *prometheus.CounterVec // by reason
	bytesIn     prometheus.Counter
	bytesOut    prometheus.Counter
	perAPI      []apiMetrics // by key
}

type apiMetrics struct {
	requests prometheus.Counter
	seconds  prometheus.Observer
}

// NewMetrics registers the metrics of a server that serves apis; reg may be nil.
func NewMetrics(reg prometheus.Registerer, apis []API) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{
		connections: f.NewGauge(prometheus.GaugeOpts{
			Name: "varve_broker_connections", Help: "Open client connections.",
		}),
		accepted: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_broker_connections_accepted_total", Help: "Client connections accepted.",
		}),
		closed: f.NewCounterVec(prometheus.CounterOpts{
			Name: "varve_broker_connections_closed_total",
			Help: "Client connections closed or refused, by reason.",
		}, []string{"reason"}),
		bytesIn: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_broker_received_bytes_total", Help: "Bytes of requests.",
		}),
		bytesOut: f.NewCounter(prometheus.CounterOpts{
			Name: "varve_broker_sent_bytes_total", Help: "Bytes of answers.",
		}),
	}
	requests := f.NewCounterVec(prometheus.CounterOpts{
		Name: "varve_broker_requests_total", Help: "Requests received, by API.",
	}, []string{"api"})
	seconds := f.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "varve_broker_request_seconds",
		Help:    "Time from a request's last byte to its answer's last, by API.",
		Buckets: prometheus.ExponentialBuckets(50e-6, 4, 10),
	}, []string{"api"})
	for _, a := range apis {
		for int(a.Key) >= len(m.perAPI) {
			m.perAPI = append(m.perAPI, apiMetrics{})
		}
		m.perAPI[a.Key] = apiMetrics{
			requests: requests.WithLabelValues(a.Name), seconds: seconds.WithLabelValues(a.Name),
		}
	}
	return m
}

func (m *Metrics) request(r *Request, size int) {
	m.bytesIn.Add(float64(size))
	m.perAPI[r.Key].requests.Inc()
}

func (m *Metrics) answered(r *Request) {
	m.perAPI[r.Key].seconds.Observe(time.Since(r.Received).Seconds())
}
