package agent

import (
	"context"
	"errors"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/compaction/gc"
	"github.com/varve-log/varve/kafka"
)

const (
	// checkpointInterval is how much of what was appended a restart may have to scan again.
	checkpointInterval = 5 * time.Second
	// refreshInterval is the safety net under commits: how late an agent that commits nothing learns
	// that it was superseded. One GET each.
	refreshInterval = 30 * time.Second
	// retentionCheckMin is the least of log.retention.check.interval.ms that counts.
	retentionCheckMin = 10 * time.Millisecond
	// offlineRetryInterval is how often partitions are tried again that could not be opened.
	offlineRetryInterval = 5 * time.Second
)

// startWork starts what goes on behind the listeners.
func (a *Agent) startWork(context.Context) error {
	sealing, stop := context.WithCancel(context.Background())
	a.stopSeal = stop
	a.workers.Go(func() error {
		defer close(a.sealing)
		if err := a.sealer.Run(sealing); err != nil && !errors.Is(err, context.Canceled) {
			a.fail(err)
		}
		return nil
	})
	a.workers.Go(func() error {
		defer close(a.saving)
		if err := a.saver.Run(sealing); err != nil && !errors.Is(err, context.Canceled) {
			a.fail(err)
		}
		return nil
	})
	a.startCleaning()
	a.every(checkpointInterval, a.checkpoint)
	a.every(refreshInterval, a.refresh)
	a.every(offlineRetryInterval, a.retryOffline)
	if a.cfg.LocalBytesMax > 0 {
		a.every(pressureInterval, a.relieve)
	}
	if a.cfg.SweepInterval > 0 {
		sweeper := gc.New(a.catalog, gc.Options{
			Grace: a.cfg.SweepGrace, Leads: a.leads, Saves: a.saves, Logger: a.logger,
			Metrics: gc.NewMetrics(a.registry),
		})
		a.every(a.cfg.SweepInterval, func(ctx context.Context) {
			if _, err := sweeper.Run(ctx); err != nil && ctx.Err() == nil {
				a.logger.Warn("sweep of the bucket not finished, the next one goes on", "err", err)
			}
		})
	}
	return nil
}

// every calls fn each interval until the agent stops.
func (a *Agent) every(interval time.Duration, fn func(context.Context)) {
	a.workers.Go(func() error {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-a.running.Done():
				return nil
			case <-ticker.C:
				fn(a.running)
			}
		}
	})
}

// checkpoint bounds what the next recovery scans.
func (a *Agent) checkpoint(context.Context) {
	for tp, p := range a.topology.Load().open {
		if err := p.Log().Checkpoint(); err != nil {
			a.logger.Warn("checkpoint not written, a restart scans more", "topic", p.Topic(),
				"partition", tp.Partition, "err", err)
		}
	}
}

// refresh looks for changes of the catalog that others made.
func (a *Agent) refresh(ctx context.Context) {
	state, err := a.catalog.Refresh(ctx)
	switch {
	case errors.Is(err, catalog.ErrRolledBack), errors.Is(err, catalog.ErrForeign):
		a.fail(err)
		return
	case err != nil:
		if ctx.Err() == nil {
			a.logger.Warn("catalog not read, going on with what is known", "err", err)
		}
		return
	}
	if err := a.catalog.Superseded(); errors.Is(err, cluster.ErrSuperseded) {
		a.fail(err)
		return
	}
	if err := a.follow(ctx, state); err != nil {
		a.logger.Error("partitions are offline", "err", err)
	}
}

// retryOffline opens partitions again that could not be opened, for lack of the bucket or of files.
// A damaged log waits for an operator and the next start.
func (a *Agent) retryOffline(ctx context.Context) {
	a.followMu.Lock()
	before := len(a.offline)
	maps.DeleteFunc(a.offline, func(_ kafka.TopicPartition, err error) bool { return !damaged(err) })
	again := len(a.offline) < before
	a.followMu.Unlock()
	if !again {
		return
	}
	if err := a.follow(ctx, a.catalog.State()); err != nil {
		a.logger.Warn("partitions are still offline", "err", err)
	}
}

// leads tells the sweeper of this agent's partitions.
func (a *Agent) leads(tp kafka.TopicPartition) (gc.Lead, bool) {
	p := a.topology.Load().open[tp]
	if p == nil {
		return gc.Lead{}, false
	}
	return gc.Lead{
		Epoch:          p.LeaderEpoch(),
		UploadInFlight: func(uid string) bool { return a.sealer.UploadInFlight(tp, uid) },
	}, true
}

// saves tells the sweeper of this agent's checkpoints.
func (a *Agent) saves(agent int32) (gc.Saver, bool) {
	if agent != a.self.ID {
		return gc.Saver{}, false
	}
	return gc.Saver{Incarnation: a.self.Incarnation, InFlight: a.saver.InFlight}, true
}

// closePartitions flushes and closes every open partition.
func (a *Agent) closePartitions() error {
	t := a.topology.Load()
	if t == nil {
		return nil
	}
	var group errgroup.Group
	group.SetLimit(opensMax)
	for _, p := range t.open {
		group.Go(p.Close)
	}
	return group.Wait()
}
