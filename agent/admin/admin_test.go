package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

type fakeAgent struct {
	ready error
	seal  error
}

func (f fakeAgent) Ready() error { return f.ready }

func (f fakeAgent) TopicSegments(_ context.Context, topic string) (TopicSegments, error) {
	if topic != "flights" {
		return TopicSegments{}, ErrUnknownTopic
	}
	return TopicSegments{Topic: topic, Partitions: []PartitionSegments{{Partition: 2}}}, nil
}

func (f fakeAgent) SealTopic(ctx context.Context, topic string) (SealResult, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		return SealResult{}, errors.New("a seal request must be bounded")
	}
	return SealResult{Topic: topic}, f.seal
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		name, method, path string
		agent              fakeAgent
		status             int
		body               string
	}{
		{"health", "GET", "/healthz", fakeAgent{}, 200, "ok"},
		{"ready", "GET", "/readyz", fakeAgent{}, 200, "ready"},
		{"not ready", "GET", "/readyz", fakeAgent{ready: errors.New("opening 3 partitions")}, 503, "opening 3"},
		{"metrics", "GET", "/metrics", fakeAgent{}, 200, "varve_test_total"},
		{"segments", "GET", "/v1/topics/flights/segments", fakeAgent{}, 200, `"partition":2`},
		{"unknown topic", "GET", "/v1/topics/none/segments", fakeAgent{}, 404, "unknown topic"},
		{"seal", "POST", "/v1/topics/flights/seal?timeout=3s", fakeAgent{}, 200, `"flights"`},
		{"seal by GET", "GET", "/v1/topics/flights/seal", fakeAgent{}, 405, ""},
		{"bad timeout", "POST", "/v1/topics/flights/seal?timeout=soon", fakeAgent{}, 400, "soon"},
		{"endless timeout", "POST", "/v1/topics/flights/seal?timeout=99h", fakeAgent{}, 400, "at most"},
		{"seal too slow", "POST", "/v1/topics/flights/seal", fakeAgent{seal: context.DeadlineExceeded}, 504, ""},
		{"seal failed", "POST", "/v1/topics/flights/seal", fakeAgent{seal: errors.New("store down")}, 500, "store down"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reg := prometheus.NewRegistry()
			reg.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "varve_test_total"}))
			s := New(test.agent, reg, slog.New(slog.DiscardHandler))
			w := httptest.NewRecorder()
			s.http.Handler.ServeHTTP(w, httptest.NewRequest(test.method, test.path, http.NoBody))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.body) {
				t.Fatalf("status %d body %q, want %d and %q", w.Code, w.Body, test.status, test.body)
			}
		})
	}
}
