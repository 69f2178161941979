package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/varve-log/varve/kafka"
)

const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = time.Minute
	headerBytesMax = 16 << 10
	// sealTimeoutDefault and sealTimeoutMax bound how long one seal request may hold a connection.
	sealTimeoutDefault = time.Minute
	sealTimeoutMax     = 30 * time.Minute
)

// ErrUnknownTopic: the agent has no topic of that name.
var ErrUnknownTopic = errors.New("unknown topic")

// SegmentState is where a segment is in its life (docs/architecture.md, section 2).
type SegmentState string

// The states in their order. A hot segment is on local disk only; a released one in the bucket only.
const (
	Hot       SegmentState = "hot"
	Uploading SegmentState = "uploading"
	Sealed    SegmentState = "sealed"
	Released  SegmentState = "released"
)

// Segment is a run of offsets [BaseOffset, NextOffset) in one state.
type Segment struct {
	State      SegmentState `json:"state"`
	BaseOffset kafka.Offset `json:"base_offset"`
	NextOffset kafka.Offset `json:"next_offset"`
	Bytes      int64        `json:"bytes"`
	Segments   int64        `json:"segments"`
}

// PartitionSegments tells what of a partition is where. Segments are runs in offset order.
type PartitionSegments struct {
	Partition           int32             `json:"partition"`
	LeaderEpoch         kafka.LeaderEpoch `json:"leader_epoch"`
	LogStartOffset      kafka.Offset      `json:"log_start_offset"`
	LocalLogStartOffset kafka.Offset      `json:"local_log_start_offset"`
	SealedEnd           kafka.Offset      `json:"sealed_end"`
	VerifiedEnd         kafka.Offset      `json:"verified_end"`
	HighWatermark       kafka.Offset      `json:"high_watermark"`
	LogEndOffset        kafka.Offset      `json:"log_end_offset"`
	Segments            []Segment         `json:"segments"`
	// Checkpoint is there for a compacted partition that is saved.
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
}

// Checkpoint is what is saved in the bucket of a compacted partition: the last records of all keys
// below EndOffset.
type Checkpoint struct {
	StartOffset kafka.Offset `json:"start_offset"`
	EndOffset   kafka.Offset `json:"end_offset"`
	// SavedAt is by the store's clock.
	SavedAt kafka.Timestamp `json:"saved_at"`
	Records int64           `json:"records"`
	Bytes   int64           `json:"bytes"`
}

// TopicSegments is the answer of GET /v1/topics/{topic}/segments.
type TopicSegments struct {
	Topic      string              `json:"topic"`
	TopicID    string              `json:"topic_id"`
	Partitions []PartitionSegments `json:"partitions"`
}

// SealResult is the answer of POST /v1/topics/{topic}/seal.
type SealResult struct {
	Topic      string             `json:"topic"`
	Partitions []PartitionSealing `json:"partitions"`
}

// PartitionSealing is how far one partition is sealed and verified after the request.
type PartitionSealing struct {
	Partition   int32        `json:"partition"`
	VerifiedEnd kafka.Offset `json:"verified_end"`
}

// Agent is what the routes ask.
type Agent interface {
	// Ready is nil when every hosted partition is served, else the reason.
	Ready() error
	// TopicSegments may read manifests; an unknown name is ErrUnknownTopic.
	TopicSegments(ctx context.Context, topic string) (TopicSegments, error)
	// SealTopic seals and verifies all below the last stable offset as of the call.
	SealTopic(ctx context.Context, topic string) (SealResult, error)
}

// Server answers the routes of the package comment.
type Server struct {
	agent  Agent
	logger *slog.Logger
	http   *http.Server
}

// New makes a server over agent whose /metrics shows what gatherer has.
func New(agent Agent, gatherer prometheus.Gatherer, logger *slog.Logger) *Server {
	s := &Server{agent: agent, logger: logger}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /v1/topics/{topic}/segments", s.segments)
	mux.HandleFunc("POST /v1/topics/{topic}/seal", s.seal)
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Serve answers on l until Close; it returns nil after a Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close stops accepting, and waits for the requests under way until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.agent.Ready(); err != nil {
		s.fail(w, http.StatusServiceUnavailable, err)
		return
	}
	fmt.Fprintln(w, "ready")
}

func (s *Server) segments(w http.ResponseWriter, r *http.Request) {
	got, err := s.agent.TopicSegments(r.Context(), r.PathValue("topic"))
	s.answer(w, got, err)
}

func (s *Server) seal(w http.ResponseWriter, r *http.Request) {
	timeout := sealTimeoutDefault
	if text := r.URL.Query().Get("timeout"); text != "" {
		parsed, err := time.ParseDuration(text)
		if err != nil || parsed <= 0 || parsed > sealTimeoutMax {
			s.fail(w, http.StatusBadRequest, fmt.Errorf(
				"timeout %q: want a duration such as 90s, more than 0 and at most %s", text, sealTimeoutMax))
			return
		}
		timeout = parsed
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	got, err := s.agent.SealTopic(ctx, r.PathValue("topic"))
	s.answer(w, got, err)
}

func (s *Server) answer(w http.ResponseWriter, value any, err error) {
	switch {
	case err == nil:
		s.write(w, http.StatusOK, value)
	case errors.Is(err, ErrUnknownTopic):
		s.fail(w, http.StatusNotFound, err)
	case errors.Is(err, context.DeadlineExceeded):
		s.fail(w, http.StatusGatewayTimeout, err)
	default:
		s.fail(w, http.StatusInternalServerError, err)
	}
}

func (s *Server) fail(w http.ResponseWriter, status int, err error) {
	s.write(w, status, map[string]string{"error": err.Error()})
}

func (s *Server) write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.logger.Debug("admin response not sent", "err", err)
	}
}
