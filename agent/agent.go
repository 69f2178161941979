package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/agent/admin"
	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/agent/checkpointer"
	"github.com/varve-log/varve/agent/coordinate"
	"github.com/varve-log/varve/agent/datadir"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/readpath"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/footprint"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/tiering"
	"github.com/varve-log/varve/tiering/cache"
)

// Agent is one running node. Start makes one, Stop ends it.
type Agent struct {
	cfg      Config
	logger   *slog.Logger
	registry *prometheus.Registry

	dir        *datadir.Dir
	fs         vfs.FS
	with       parts
	files      *hotlog.FileSet
	budget     *hotlog.Budget
	logMetrics *hotlog.Metrics
	store      objstore.Store
	catalog    *catalog.Catalog
	self       *cluster.Agent
	footers    *cache.Footers
	ranges     *cache.Cache
	reads      *readpath.Reader
	sealer     *tiering.Sealer
	saver      *checkpointer.Checkpointer
	broker     *broker.Server
	admin      *admin.Server
	kafkaSide  net.Listener
	httpSide   net.Listener

	groups       *coordinate.Shards[*group.Machine]
	txns         *coordinate.Shards[*txn.Machine]
	coordinators map[string]shards // by internal topic; fixed once the agent starts

	// doubt is fixed once the agent is registered.
	doubt doubt

	followMu    sync.Mutex
	topology    atomic.Pointer[topology]
	offline     map[kafka.TopicPartition]error // under followMu: why a partition could not be opened
	notReady    atomic.Pointer[error]          // the same for Ready; nil when all are open
	producerIDs producerIDs

	// running ends when the agent stops; failed gets what makes it stop by itself.
	running  context.Context
	cancel   context.CancelFunc
	failed   chan error
	workers  errgroup.Group
	sealing  chan struct{} // closed when the sealer's Run has returned
	saving   chan struct{} // closed when the checkpointer's Run has returned
	stopSeal context.CancelFunc
	stopOnce sync.Once
	stopErr  error
}

// parts are what tests put in the place of the real thing.
type parts struct {
	fs vfs.FS
	// wrapStore is put around the store that the URL names.
	wrapStore func(objstore.Store) objstore.Store
	sealing   tiering.Config
	// saving, if not nil, changes how checkpoints are saved.
	saving func(*checkpointer.Config)
	// cleanBackoff, unless 0, is in the place of log.cleaner.backoff.ms.
	cleanBackoff time.Duration
}

func realParts() parts {
	return parts{
		fs: vfs.OS(), wrapStore: func(s objstore.Store) objstore.Store { return s },
		sealing: tiering.DefaultConfig(),
	}
}

// Run starts an agent, serves until ctx ends, and stops in order. It returns nil after an orderly stop,
// else what prevented the start, ended the run, or made the stop incomplete.
func Run(ctx context.Context, cfg Config, logger *slog.Logger) error {
	a, err := Start(ctx, cfg, logger)
	if err != nil {
		return err
	}
	if err := footprint.ReleaseStartPages(); err != nil {
		logger.Debug("pages of the start stay resident", "err", err)
	}
	var cause error
	select {
	case <-ctx.Done():
		logger.Info("stopping")
	case cause = <-a.failed:
		logger.Error("stopping, the agent cannot go on", "err", cause)
	}
	err = errors.Join(cause, a.Stop())
	if err == nil {
		logger.Info("stopped")
	}
	return err
}

// Start opens everything and returns when clients are served. Whatever fails, what was opened before is
// closed again. ctx bounds the start only.
func Start(ctx context.Context, cfg Config, logger *slog.Logger) (*Agent, error) {
	return startWith(ctx, cfg, logger, realParts())
}

func startWith(
	ctx context.Context, cfg Config, logger *slog.Logger, with parts,
) (*Agent, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, logger: logger, registry: prometheus.NewRegistry(), fs: with.fs, with: with,
		failed: make(chan error, 1), sealing: make(chan struct{}), saving: make(chan struct{}),
		offline: map[kafka.TopicPartition]error{},
	}
	a.running, a.cancel = context.WithCancel(context.Background())
	begun := time.Now()
	// The order of the start; Stop goes back through it.
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"open data directory", a.openDir},        // 1. nobody else writes here
		{"listen", a.listen},                      // 2. addresses are ours before anyone is told of them
		{"open store", a.openStore},               // 3. and it honours conditional writes
		{"open catalog", a.openCatalog},           // 4. register; lead in new epochs
		{"open read path", a.openReads},           // 5. caches and cold reads
		{"open coordinators", a.openCoordinators}, // 6. groups and transactions follow their partitions
		{"open partitions", a.openPartitions},     // 7. recover the hot logs
		{"serve", a.serve},                        // 8. Kafka clients and HTTP
		{"start background work", a.startWork},    // 9. seal, sweep, checkpoint, watch the catalog
	} {
		if err := step.do(ctx); err != nil {
			a.abandon()
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	logger.Info("agent is ready", "agent", cfg.AgentID, "cluster_id", a.ClusterID(),
		"listen", a.Addr().String(), "store", a.store.URL(), "data_dir", cfg.DataDir,
		"partitions", len(a.topology.Load().open), "took", time.Since(begun).String())
	return a, nil
}

// Addr is where the Kafka listener is bound.
func (a *Agent) Addr() net.Addr { return a.kafkaSide.Addr() }

// HTTPAddr is where metrics and health are served, or nil.
func (a *Agent) HTTPAddr() net.Addr {
	if a.httpSide == nil {
		return nil
	}
	return a.httpSide.Addr()
}

// fail makes Run stop the agent. The first cause counts.
func (a *Agent) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}
