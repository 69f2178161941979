package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/partition"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
)

// opensMax bounds partitions that are opened, loaded or closed at once.
const opensMax = 32

// follow makes this agent's partitions and the published topology those of a newer state. Calls queue
// up; a state older than the published one changes nothing.
func (a *Agent) follow(ctx context.Context, state *cluster.State) error {
	a.followMu.Lock()
	defer a.followMu.Unlock()
	before := a.topology.Load()
	if before != nil && state.Version < before.state.Version {
		return nil
	}
	agentSettings, err := a.effectiveSettings(state, before)
	if err != nil {
		return err
	}
	next, err := topologyOf(state, agentSettings, before)
	if err != nil {
		return fmt.Errorf("read the catalog's topics: %w", err)
	}
	led := next.ledBy(a.cfg.AgentID)
	gone := next.closedBy(led)
	opened, openErr := a.openAll(ctx, led, next.open)
	next = next.withOpen(func(open map[kafka.TopicPartition]*partition.Partition) {
		for _, p := range gone {
			delete(open, p.TopicPartition())
		}
		for _, p := range opened {
			open[p.TopicPartition()] = p
		}
	})
	a.topology.Store(next)
	a.applySettings(next, before)
	a.closeAll(ctx, gone, state)
	a.beginSealing(opened)
	return openErr
}

// effectiveSettings parses this agent's settings, and gives the same value again where nothing changed.
func (a *Agent) effectiveSettings(
	state *cluster.State, before *topology,
) (*settings.Agent, error) {
	if before != nil && maps.Equal(state.DefaultConfigs(), before.state.DefaultConfigs()) &&
		maps.Equal(state.AgentConfigs(a.cfg.AgentID), before.state.AgentConfigs(a.cfg.AgentID)) {
		return before.settings, nil
	}
	s, err := settings.AgentFromConfigs(
		state.AgentConfigs(a.cfg.AgentID), state.DefaultConfigs(), a.cfg.Settings)
	if err != nil {
		return nil, fmt.Errorf("read the agent's settings: %w", err)
	}
	return s, nil
}

// openAll opens the partitions led that are not open, in parallel. Those that open are returned along
// with the errors of the others, which stay offline.
func (a *Agent) openAll(
	ctx context.Context, led []ledPartition, open map[kafka.TopicPartition]*partition.Partition,
) ([]*partition.Partition, error) {
	var mu sync.Mutex
	var opened []*partition.Partition
	var errs []error
	var group errgroup.Group
	group.SetLimit(opensMax)
	for _, l := range led {
		if open[l.tp] != nil {
			continue
		}
		group.Go(func() error {
			p, err := a.openPartition(ctx, l)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("open partition %d of topic %q: %w",
					l.tp.Partition, l.topic.Name, err))
				return nil
			}
			opened = append(opened, p)
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	return opened, errors.Join(errs...)
}

// openPartition opens the hot log of a partition and takes over its leadership. Where this disk may not
// hold the newest records, the manifest says where the log begins.
func (a *Agent) openPartition(ctx context.Context, l ledPartition) (*partition.Partition, error) {
	archive := partition.NewArchive(a.catalog, l.tp)
	dir := a.dir.PartitionPath(l.tp)
	_, err := os.Stat(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	var opening hotlog.Opening
	doubtful := a.dir.PossibleLoss() || missing && l.epoch > 0
	if doubtful {
		if opening, err = a.openingOf(ctx, archive); err != nil {
			return nil, err
		}
	}
	logger := a.logger.With(slog.String("topic", l.topic.Name),
		slog.Int64("partition", int64(l.tp.Partition)))
	var opened *partition.Partition
	log, err := hotlog.Open(a.fs, dir, a.logConfig(l.topic), opening, hotlog.Deps{
		Files: a.files, Budget: a.budget, Logger: logger, Metrics: a.logMetrics,
		BootID:    a.dir.BootID(),
		OnFailure: func(err error) { a.partitionFailed(l.tp, err) },
	})
	if err != nil {
		return nil, err
	}
	if doubtful && !missing {
		err = catchUpWithSealed(log, archive, opening, logger)
	}
	if err == nil {
		opened, err = partition.New(partition.Parts{
			TopicPartition: l.tp, Topic: l.topic.Name, LeaderEpoch: l.epoch,
			Settings: l.topic.Settings, Log: log, Archive: archive, Reads: a.reads, Logger: logger,
		})
	}
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	log.OnRolled(func() { a.sealer.Notify(l.tp) })
	return opened, nil
}

// openingOf tells where a log begins whose disk is empty: at the sealed end, with the producer state
// that was sealed there.
func (a *Agent) openingOf(
	ctx context.Context, archive partition.Archive,
) (hotlog.Opening, error) {
	head, err := archive.Load(ctx)
	if err != nil {
		return hotlog.Opening{}, fmt.Errorf("load manifest: %w", err)
	}
	o := hotlog.Opening{
		StartOffset: head.NextBase(), Epochs: head.Epochs, LogStartOffset: head.LogStartOffset,
	}
	if o.Producers, err = a.sealedProducers(ctx, archive, head); err != nil {
		return hotlog.Opening{}, err
	}
	return o, nil
}

// sealedProducers reads the producer state as of the sealed end from the newest segment's footer.
func (a *Agent) sealedProducers(
	ctx context.Context, archive partition.Archive, head manifest.Head,
) ([]segment.ProducerState, error) {
	if head.SealedEnd() == 0 || head.SealedEnd() <= head.LogStartOffset {
		return nil, nil
	}
	entry, ok, err := archive.Find(ctx, head.SealedEnd()-1)
	if err != nil {
		return nil, fmt.Errorf("find the newest sealed segment: %w", err)
	}
	if !ok {
		return nil, nil
	}
	object := cache.Object{Key: entry.Key(archive.TP()), Size: entry.Bytes}
	footer, err := a.footers.Get(ctx, object, entry.FooterBytes)
	if err != nil {
		return nil, fmt.Errorf("read the newest sealed segment's producer state: %w", err)
	}
	return footer.Producers(), nil
}

// catchUpWithSealed drops a local log that a power loss left behind what is sealed, or that differs
// from it in leader epochs below the sealed end: the bucket is the truth (design, section 6).
func catchUpWithSealed(
	log *hotlog.Log, archive partition.Archive, opening hotlog.Opening, logger *slog.Logger,
) error {
	head, _ := archive.Head()
	sealed := head.SealedEnd()
	if sealed == 0 || log.LogEndOffset() >= sealed && sameEpochs(log, head) {
		return nil
	}
	logger.Warn("local log is behind the sealed part, starting again at its end",
		"log_end_offset", log.LogEndOffset(), "sealed_end", sealed)
	return log.Reset(opening)
}

// sameEpochs holds the epochs of the local log against those of the sealed part, where both are.
func sameEpochs(log *hotlog.Log, head manifest.Head) bool {
	sealed := make(map[kafka.LeaderEpoch]kafka.Offset, len(head.Epochs))
	for _, e := range head.Epochs {
		sealed[e.Epoch] = e.StartOffset
	}
	local := log.LocalLogStartOffset()
	for _, e := range log.Epochs() {
		if e.StartOffset <= local || e.StartOffset >= head.SealedEnd() {
			continue
		}
		if start, known := sealed[e.Epoch]; !known || start != e.StartOffset {
			return false
		}
	}
	return true
}

func (a *Agent) logConfig(t *api.Topic) hotlog.Config {
	expiration := settings.DefaultAgent().ProducerIDExpiration
	if now := a.topology.Load(); now != nil {
		expiration = now.settings.ProducerIDExpiration
	}
	return partition.LogConfig(t.Settings, expiration)
}

// applySettings puts changed topic settings into force.
func (a *Agent) applySettings(now, before *topology) {
	for tp, p := range now.open {
		topic := now.byID[tp.Topic]
		if before != nil && before.byID[tp.Topic] == topic {
			continue
		}
		if err := p.SetSettings(topic.Settings, a.logConfig(topic)); err != nil {
			a.logger.Error("topic settings not applied", "topic", topic.Name,
				"partition", tp.Partition, "err", err)
		}
		a.sealer.Notify(tp)
	}
}

// closeAll ends partitions that this agent does not lead any more. The files of a deleted topic go;
// others stay for the next start.
func (a *Agent) closeAll(ctx context.Context, gone []*partition.Partition, state *cluster.State) {
	var group errgroup.Group
	group.SetLimit(opensMax)
	for _, p := range gone {
		group.Go(func() error {
			tp := p.TopicPartition()
			err := a.sealer.Remove(ctx, tp)
			if _, exists := state.TopicByID(tp.Topic); exists {
				err = errors.Join(err, p.Close())
			} else {
				err = errors.Join(err, p.Remove())
				a.catalog.Forget(tp)
			}
			if err != nil {
				a.logger.Error("partition not closed in order", "topic", p.Topic(),
					"partition", tp.Partition, "err", err)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
}

// beginSealing hands opened partitions to the sealer once their manifests are loaded, which may wait
// for the bucket and must not hold up produce.
func (a *Agent) beginSealing(opened []*partition.Partition) {
	for _, p := range opened {
		a.loading.Go(func() error {
			a.loadAndSeal(p)
			return nil
		})
	}
}

func (a *Agent) loadAndSeal(p *partition.Partition) {
	tp := p.TopicPartition()
	err := retry(a.running, func() error { return p.LoadArchive(a.running) })
	if err != nil {
		if a.running.Err() == nil {
			a.logger.Error("manifest not loaded, the partition is not sealed", "topic", p.Topic(),
				"partition", tp.Partition, "err", err)
		}
		return
	}
	a.followMu.Lock()
	defer a.followMu.Unlock()
	if a.topology.Load().open[tp] == p { // not deleted meanwhile
		a.sealer.Add(p.Sealable())
	}
}

// partitionFailed is called when a hot log takes no more appends.
func (a *Agent) partitionFailed(tp kafka.TopicPartition, err error) {
	if p := a.topology.Load().open[tp]; p != nil {
		p.Fail(err)
	}
}

// removeStrays deletes local logs of topics that the catalog has deleted while this agent was down.
func (a *Agent) removeStrays(state *cluster.State) error {
	tps, err := a.dir.Partitions()
	if err != nil {
		return err
	}
	for _, tp := range tps {
		if _, exists := state.TopicByID(tp.Topic); exists {
			continue
		}
		if err := os.RemoveAll(a.dir.PartitionPath(tp)); err != nil {
			return fmt.Errorf("remove log of a deleted topic: %w", err)
		}
		a.logger.Info("removed log of a deleted topic", "topic_id", tp.Topic.Hex(),
			"partition", tp.Partition)
	}
	return nil
}
