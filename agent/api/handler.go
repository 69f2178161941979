package api

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"github.com/varve-log/varve/agent/broker"
)

// Handler answers the requests that the broker decoded the headers of.
type Handler struct {
	backend     Backend
	cfg         Config
	log         *slog.Logger
	metrics     *Metrics
	fetchBudget *semaphore.Weighted // bytes of fetch answers (V10)
	produces    sync.Pool           // of *produce
	sessions    *fetchSessions
	appendLog   limiter
	fetchLog    limiter
	endpoints   []endpoint
	byKey       map[int16]*endpoint
}

var _ broker.Handler = (*Handler)(nil)

// Config holds the handlers' limits.
type Config struct {
	// FetchBytesMax bounds the bytes of all fetch answers that are read but not written yet, over
	// all connections. Unit bytes, default 256 MiB, at least 1 MiB.
	FetchBytesMax int64
	// FetchSessionPartitionsMax bounds the partitions of all incremental fetch sessions: beyond it
	// clients get no session and send whole requests. About 300 bytes of memory each. Default
	// 500,000, at least 1.
	FetchSessionPartitionsMax int
	// ColdWaitMax is how long a fetch may wait for the bucket before it is answered with what
	// there is. Default 10 s, at least 100 ms.
	ColdWaitMax time.Duration
	// AdminWaitMax is how long a change of the catalog may take where the request names no time.
	// Default 30 s, at least 1 s.
	AdminWaitMax time.Duration
}

// DefaultConfig gives the documented defaults.
func DefaultConfig() Config {
	return Config{
		FetchBytesMax: 256 << 20, FetchSessionPartitionsMax: 500_000,
		ColdWaitMax: 10 * time.Second, AdminWaitMax: 30 * time.Second,
	}
}

// Validate names the first field that is out of bounds.
func (c Config) Validate() error {
	switch {
	case c.FetchBytesMax < 1<<20:
		return fmt.Errorf("api config: FetchBytesMax is %d, must be at least 1 MiB", c.FetchBytesMax)
	case c.FetchSessionPartitionsMax < 1:
		return fmt.Errorf("api config: FetchSessionPartitionsMax is %d, must be at least 1",
			c.FetchSessionPartitionsMax)
	case c.ColdWaitMax < 100*time.Millisecond:
		return fmt.Errorf("api config: ColdWaitMax is %s, must be at least 100ms", c.ColdWaitMax)
	case c.AdminWaitMax < time.Second:
		return fmt.Errorf("api config: AdminWaitMax is %s, must be at least 1s", c.AdminWaitMax)
	}
	return nil
}

// New makes a handler over a backend. reg may be nil. The error names the config field at fault.
func New(b Backend, cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	h := &Handler{
		backend: b, cfg: cfg, log: log, metrics: NewMetrics(reg),
		fetchBudget: semaphore.NewWeighted(cfg.FetchBytesMax),
		endpoints:   allEndpoints(), byKey: make(map[int16]*endpoint),
	}
	h.sessions = newFetchSessions(cfg.FetchSessionPartitionsMax, h.metrics)
	for i := range h.endpoints {
		h.byKey[h.endpoints[i].key] = &h.endpoints[i]
	}
	return h, nil
}

// endpoint is one API key.
type endpoint struct {
	key, min, max int16
	handle        func(h *Handler, ctx context.Context, r *broker.Request) error
	inline        bool // never waits for the bucket or another agent
}

// allEndpoints lists what is advertised, by key. Every version in the ranges works, but for Produce
// 0 to 2, which are advertised and refused as Kafka 4 does (KIP-896): librdkafka below 2.1 takes
// their absence for a broker that cannot compress.
func allEndpoints() []endpoint {
	return []endpoint{
		{key: 0, min: 0, max: 13, handle: (*Handler).produce, inline: true},
		{key: 1, min: 4, max: 18, handle: (*Handler).fetch, inline: true},
		{key: 2, min: 1, max: 11, handle: serve((*Handler).listOffsets)},
		{key: 3, min: 0, max: 13, handle: serve((*Handler).metadata)},
		{key: 8, min: 2, max: 10, handle: serve((*Handler).offsetCommit)},
		{key: 9, min: 1, max: 10, handle: serve((*Handler).offsetFetch)},
		{key: 10, min: 0, max: 6, handle: serve((*Handler).findCoordinator)},
		{key: 11, min: 0, max: 9, handle: serveFrom((*Handler).joinGroup)},
		{key: 12, min: 0, max: 4, handle: serve((*Handler).heartbeat)},
		{key: 13, min: 0, max: 5, handle: serve((*Handler).leaveGroup)},
		{key: 14, min: 0, max: 5, handle: serveFrom((*Handler).syncGroup)},
		{key: 15, min: 0, max: 6, handle: serve((*Handler).describeGroups)},
		{key: 16, min: 0, max: 5, handle: serve((*Handler).listGroups), inline: true},
		{key: 18, min: 0, max: 4, handle: (*Handler).apiVersions, inline: true},
		{key: 19, min: 2, max: 7, handle: serve((*Handler).createTopics)},
		{key: 20, min: 1, max: 6, handle: serve((*Handler).deleteTopics)},
		{key: 21, min: 0, max: 2, handle: serve((*Handler).deleteRecords)},
		{key: 22, min: 0, max: 5, handle: serve((*Handler).initProducerID)},
		{key: 23, min: 2, max: 4, handle: serve((*Handler).offsetForLeaderEpoch)},
		{key: 24, min: 0, max: 5, handle: serve((*Handler).addPartitionsToTxn)},
		{key: 25, min: 0, max: 4, handle: serve((*Handler).addOffsetsToTxn)},
		{key: 26, min: 0, max: 5, handle: serve((*Handler).endTxn)},
		{key: 27, min: 1, max: 2, handle: serve((*Handler).writeTxnMarkers)},
		{key: 28, min: 0, max: 5, handle: serve((*Handler).txnOffsetCommit)},
		{key: 29, min: 1, max: 3, handle: serve((*Handler).describeACLs), inline: true},
		{key: 30, min: 1, max: 3, handle: serve((*Handler).createACLs), inline: true},
		{key: 31, min: 1, max: 3, handle: serve((*Handler).deleteACLs), inline: true},
		{key: 32, min: 1, max: 4, handle: serve((*Handler).describeConfigs), inline: true},
		{key: 33, min: 0, max: 2, handle: serve((*Handler).alterConfigs)},
		{key: 34, min: 1, max: 2, handle: serve((*Handler).alterReplicaLogDirs), inline: true},
		{key: 35, min: 1, max: 5, handle: serve((*Handler).describeLogDirs), inline: true},
		{key: 37, min: 0, max: 3, handle: serve((*Handler).createPartitions)},
		{key: 42, min: 0, max: 2, handle: serve((*Handler).deleteGroups)},
		{key: 43, min: 0, max: 2, handle: serve((*Handler).electLeaders), inline: true},
		{key: 44, min: 0, max: 1, handle: serve((*Handler).incrementalAlterConfigs)},
		{key: 45, min: 0, max: 1, handle: serve((*Handler).alterPartitionReassignments), inline: true},
		{key: 46, min: 0, max: 0, handle: serve((*Handler).listPartitionReassignments), inline: true},
		{key: 47, min: 0, max: 0, handle: serve((*Handler).offsetDelete)},
		{key: 57, min: 0, max: 2, handle: serve((*Handler).updateFeatures), inline: true},
		{key: 60, min: 0, max: 2, handle: serve((*Handler).describeCluster), inline: true},
		{key: 61, min: 0, max: 0, handle: serve((*Handler).describeProducers), inline: true},
		{key: 65, min: 0, max: 0, handle: serve((*Handler).describeTransactions)},
		{key: 66, min: 0, max: 2, handle: serve((*Handler).listTransactions), inline: true},
		{key: 68, min: 0, max: 1, handle: serveFrom((*Handler).consumerGroupHeartbeat)},
		{key: 69, min: 0, max: 1, handle: serve((*Handler).consumerGroupDescribe)},
		{key: 74, min: 0, max: 1, handle: serve((*Handler).listConfigResources), inline: true},
		{key: 75, min: 0, max: 0, handle: serve((*Handler).describeTopicPartitions), inline: true},
	}
}

const (
	// smallFrameBytesMax bounds the frames of all APIs but Produce: their decoded form takes many
	// times the bytes of the frame.
	smallFrameBytesMax = 8 << 20
	// decodeWeight is what the smallest elements of those requests grow by when they are decoded.
	decodeWeight = 16
)

// APIs lists the API keys and versions that are advertised and work.
func (h *Handler) APIs() []broker.API {
	apis := make([]broker.API, 0, len(h.endpoints))
	for _, e := range h.endpoints {
		a := broker.API{
			Key: e.key, Min: e.min, Max: e.max, FlexibleFrom: flexibleFrom(e.key),
			Name: kmsg.NameForKey(e.key), Blocking: !e.inline,
		}
		if e.key != 0 {
			a.BytesMax, a.Weight = smallFrameBytesMax, decodeWeight
		}
		apis = append(apis, a)
	}
	return apis
}

// flexibleFrom is the first flexible version of an API key.
func flexibleFrom(key int16) int16 {
	req := kmsg.RequestForKey(key)
	for v := int16(0); v <= req.MaxVersion(); v++ {
		req.SetVersion(v)
		if req.IsFlexible() {
			return v
		}
	}
	return -1
}

// Handle answers one request. It is called in the order of a connection's requests.
func (h *Handler) Handle(ctx context.Context, r *broker.Request) {
	if err := h.byKey[r.Key].handle(h, ctx, r); err != nil {
		r.Close(fmt.Errorf("%w: %s version %d: %w", broker.ErrMalformed, r.API().Name, r.Version, err))
	}
}

// message is a pointer to a request or response struct of kmsg.
type message[T any] interface {
	*T
	SetVersion(version int16)
}

// serve makes a handler of a function from a decoded request to a response. The request has no byte
// slices: they would lie in the body, which is gone.
func serve[Q, S any, PQ interface {
	message[Q]
	ReadFrom(src []byte) error
}, PS interface {
	message[S]
	AppendTo(dst []byte) []byte
}](
	answer func(h *Handler, ctx context.Context, version int16, q PQ) PS,
) func(*Handler, context.Context, *broker.Request) error {
	return serveFrom(func(h *Handler, ctx context.Context, r *broker.Request, q PQ) PS {
		r.FreeBody()
		return answer(h, ctx, r.Version, q)
	})
}

// serveFrom is serve for answers that depend on the client, too, or on byte slices. These lie in the
// body: the answer copies what it keeps, and frees the body before it waits.
func serveFrom[Q, S any, PQ interface {
	message[Q]
	ReadFrom(src []byte) error
}, PS interface {
	message[S]
	AppendTo(dst []byte) []byte
}](
	answer func(h *Handler, ctx context.Context, r *broker.Request, q PQ) PS,
) func(*Handler, context.Context, *broker.Request) error {
	return func(h *Handler, ctx context.Context, r *broker.Request) error {
		q := PQ(new(Q))
		q.SetVersion(r.Version)
		if err := q.ReadFrom(r.Body); err != nil {
			return err
		}
		s := answer(h, ctx, r, q)
		s.SetVersion(r.Version)
		r.Respond(s.AppendTo(r.Begin()))
		return nil
	}
}

// waitFor bounds ctx by a request's timeout in milliseconds.
func (h *Handler) waitFor(ctx context.Context, millis int32) (context.Context, context.CancelFunc) {
	wait := time.Duration(millis) * time.Millisecond
	if wait <= 0 || wait > h.cfg.AdminWaitMax {
		wait = h.cfg.AdminWaitMax
	}
	return context.WithTimeout(ctx, wait)
}
