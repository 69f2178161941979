package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/varve-log/varve/agent/admin"
	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/agent/checkpointer"
	"github.com/varve-log/varve/agent/datadir"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/readpath"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/metered"
	"github.com/varve-log/varve/internal/objstore/open"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/tiering"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

// storeTimeout bounds the first contact with the store.
const storeTimeout = 30 * time.Second

func (a *Agent) openDir(context.Context) error {
	dir, err := datadir.Open(a.cfg.DataDir)
	if err != nil {
		return err
	}
	a.dir = dir
	a.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.files = hotlog.NewFileSet(0)
	a.budget = hotlog.NewBudget(a.cfg.LocalBytesMax)
	a.logMetrics = hotlog.NewMetrics(a.registry)
	return nil
}

func (a *Agent) listen(context.Context) error {
	var err error
	if a.kafkaSide, err = net.Listen("tcp", a.cfg.Listen); err != nil {
		return fmt.Errorf("%w; stop what uses the address or give another --listen", err)
	}
	if a.cfg.HTTP == "" {
		return nil
	}
	if a.httpSide, err = net.Listen("tcp", a.cfg.HTTP); err != nil {
		return fmt.Errorf("%w; stop what uses the address or give another --http", err)
	}
	return nil
}

func (a *Agent) openStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	url, err := a.cfg.storeURL()
	if err != nil {
		return err
	}
	store, err := open.Open(ctx, url, open.Options{})
	if err != nil {
		return err
	}
	a.store = metered.New(a.with.wrapStore(store), metered.NewMetrics(a.registry))
	return objstore.Probe(ctx, a.store)
}

func (a *Agent) openCatalog(ctx context.Context) error {
	var err error
	a.catalog, err = catalog.Open(ctx, a.store, catalog.Options{
		Create: true, Floor: a.dir, Logger: a.logger, Metrics: catalog.NewMetrics(a.registry),
	})
	if err != nil {
		return err
	}
	host, port, err := a.cfg.advertised(a.kafkaSide.Addr())
	if err != nil {
		return fmt.Errorf("find the address to advertise: %w", err)
	}
	self := cluster.Agent{
		ID: a.cfg.AgentID, DiskUUID: a.dir.Identity().DiskUUID,
		Advertised: net.JoinHostPort(host, fmt.Sprint(port)), Rack: a.cfg.Rack,
		FormatMax: register.Format, RegisteredAt: kafka.TimestampOf(time.Now()),
	}
	if addr := a.HTTPAddr(); addr != nil {
		self.HTTP = addr.String()
	}
	decision, err := a.claim(ctx, self.DiskUUID)
	if err != nil {
		return err
	}
	loss := a.dir.PossibleLoss() || decision.NewDisk && !decision.Holder.CleanStop
	a.doubt = doubt{
		stale: a.dir.Doubtful() || decision.NewDisk, fence: a.dir.Doubtful() || loss,
		archived: decision.NewDisk && decision.Holder.CleanStop,
	}
	if a.doubt.stale {
		// Before the commit: a start after it no longer sees that another disk had the id.
		if err := a.dir.MarkDoubtful(); err != nil {
			return err
		}
	}
	a.self, err = a.catalog.Register(ctx,
		cluster.RegisterAgent{Agent: self, Replaces: decision.Replaces},
		cluster.StartLeading{Agent: self.ID, PossibleLoss: loss})
	if err != nil {
		return err
	}
	if loss {
		a.logger.Warn("the last run may have lost records that were not sealed",
			"agent", a.cfg.AgentID)
	}
	return a.dir.MarkRunning(a.cfg.AgentID, a.catalog.State().ClusterID)
}

func (a *Agent) openReads(context.Context) error {
	metrics := cache.NewMetrics(a.registry)
	a.footers = cache.NewFooters(a.store, cache.DefaultFooterConfig(), metrics)
	file, err := a.cacheFile()
	if err != nil {
		return err
	}
	cfg := cache.DefaultConfig()
	cfg.BytesMax = a.cfg.CacheBytesMax
	if a.ranges, err = cache.New(a.store, file, cfg, metrics, a.logger); err != nil {
		return err
	}
	scans, err := replay.New(
		a.store, a.footers, replay.DefaultConfig(), replay.NewMetrics(a.registry))
	if err != nil {
		return err
	}
	a.reads, err = readpath.New(readpath.DefaultConfig(), readpath.Parts{
		Replay: scans, Ranges: a.ranges, Store: a.store, Footers: a.footers, Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	sealing := a.with.sealing
	if a.cfg.Settings["log.retention.check.interval.ms"] != "" {
		given, err := settings.AgentFromConfigs(a.cfg.Settings)
		if err != nil {
			return err
		}
		sealing.RetentionInterval = max(given.RetentionCheckInterval, retentionCheckMin)
	}
	sealing.Cluster = a.catalog.State().ClusterID
	a.sealer, err = tiering.New(sealing, tiering.Deps{
		Store: a.store, Logger: a.logger, Registerer: a.registry, StoreNow: a.catalog.StoreNow,
	})
	if err != nil {
		return err
	}
	return a.openSaver()
}

// openSaver makes the checkpointer, which restores while partitions are opened.
func (a *Agent) openSaver() error {
	s, err := a.effectiveSettings(a.catalog.State(), nil)
	if err != nil {
		return err
	}
	cfg := checkpointer.DefaultConfig()
	cfg.Agent, cfg.Incarnation = a.self.ID, a.self.Incarnation
	cfg.Cluster = a.catalog.State().ClusterID
	cfg.MaxAge = s.CheckpointMaxAge
	cfg.ScanInterval = min(cfg.ScanInterval, cfg.MaxAge/10)
	if a.with.saving != nil {
		a.with.saving(&cfg)
	}
	a.saver, err = checkpointer.New(cfg, checkpointer.Deps{
		Catalog: a.catalog, Logger: a.logger, Registerer: a.registry,
	})
	return err
}

// cacheFile opens the file for cached ranges; nil when there is to be none.
func (a *Agent) cacheFile() (cache.File, error) {
	if a.cfg.CacheBytesMax == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(a.dir.CachePath(), 0o755); err != nil {
		return nil, fmt.Errorf("create the cache directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(a.dir.CachePath(), "ranges"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the cache file: %w", err)
	}
	return f, nil
}

func (a *Agent) openPartitions(ctx context.Context) error {
	state := a.catalog.State()
	if err := a.removeStrays(state); err != nil {
		return err
	}
	if err := a.follow(ctx, state); err != nil {
		if a.topology.Load() == nil {
			return err
		}
		// One damaged log must not keep the others from being served.
		a.logger.Error("partitions are offline", "err", err)
		return nil
	}
	return a.dir.MarkSettled()
}

func (a *Agent) serve(context.Context) error {
	handler, err := api.New(a, api.DefaultConfig(), a.logger, a.registry)
	if err != nil {
		return err
	}
	a.broker, err = broker.New(handler, brokerConfig(a.AgentSettings()), a.logger, a.registry)
	if err != nil {
		return err
	}
	a.workers.Go(func() error {
		if err := a.broker.Serve(a.kafkaSide); err != nil {
			a.fail(fmt.Errorf("kafka listener: %w", err))
		}
		return nil
	})
	if a.httpSide == nil {
		return nil
	}
	a.admin = admin.New(a, a.registry, a.logger)
	a.workers.Go(func() error {
		if err := a.admin.Serve(a.httpSide); err != nil {
			a.fail(fmt.Errorf("http listener: %w", err))
		}
		return nil
	})
	return nil
}

// brokerConfig takes the listener's bounds from the agent's settings.
func brokerConfig(s *settings.Agent) broker.Config {
	c := broker.DefaultConfig()
	c.FrameBytesMax = s.SocketRequestMaxBytes
	c.RequestBytesMax = max(s.QueuedMaxRequestBytes, 2*int64(s.SocketRequestMaxBytes))
	c.IdleMax = s.ConnectionsMaxIdle
	c.ConnectionsMax = s.MaxConnections
	c.ConnectionsPerIPMax = s.MaxConnectionsPerIP
	return c
}

// claim decides whether this disk may take the agent id, asking the present holder where that matters.
func (a *Agent) claim(ctx context.Context, diskUUID string) (cluster.Decision, error) {
	claim := cluster.Claim{
		ID: a.cfg.AgentID, DiskUUID: diskUUID, SilenceMin: claimSilence, TakeOver: a.cfg.TakeOver,
	}
	var seen cluster.Observation
	var silentSince time.Time
	for {
		d := a.catalog.State().Claim(claim, seen)
		switch d.Verdict {
		case cluster.Register:
			return d, nil
		case cluster.Refuse:
			return d, errors.New(d.Reason)
		case cluster.Probe:
		}
		if seen.Incarnation != d.Holder.Incarnation {
			seen, silentSince = cluster.Observation{Incarnation: d.Holder.Incarnation}, time.Now()
			a.logger.Warn("another data directory had this agent id and did not stop in order, "+
				"asking whether it is alive", "agent", d.Holder.ID, "address", d.Holder.Advertised,
				"wait", claimSilence.String())
		}
		seen.Answered = answers(ctx, d.Holder, a.catalog.State().ClusterID)
		if !seen.Answered {
			// A first silent probe counts as a moment at least: TakeOver asks for more than none.
			seen.SilentFor = max(time.Since(silentSince), time.Nanosecond)
		}
		if err := pause(ctx, claimPause, seen.Answered); err != nil {
			return d, err
		}
		if _, err := a.catalog.Refresh(ctx); err != nil {
			return d, err
		}
	}
}
