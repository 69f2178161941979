package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/partition"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// opensMax bounds partitions that are opened, loaded or closed at once.
const opensMax = 32

// follow makes this agent's partitions and the published topology those of a newer state. Calls queue
// up; a state older than the published one changes nothing. The error tells of partitions that could
// not be opened by this or an earlier call; everything else is followed all the same.
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
	opened := a.openAll(ctx, next, led)
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
	a.resignCoordinators(gone)
	a.leadCoordinators(opened)
	a.forgetTopics(next, before)
	a.closeAll(ctx, gone, state)
	if len(opened) > 0 {
		a.workers.Go(func() error {
			a.loadAndSeal(opened)
			return nil
		})
	}
	return a.reportOffline()
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
			err := errors.Join(a.sealer.Remove(ctx, tp), a.saver.Remove(ctx, tp))
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

// loadAndSeal hands opened partitions to the sealer once their manifests are loaded, which may wait
// for the bucket and must not hold up produce. Those that fail are tried again after a pause that
// doubles up to a bound, without holding up the others.
func (a *Agent) loadAndSeal(opened []*partition.Partition) {
	for d := retryPauseMin; len(opened) > 0; d = min(2*d, retryPauseMax) {
		var mu sync.Mutex
		var failed []*partition.Partition
		var last error
		var group errgroup.Group
		group.SetLimit(opensMax)
		for _, p := range opened {
			if a.openReplica(p.TopicPartition()) != p {
				continue // deleted meanwhile
			}
			group.Go(func() error {
				err := p.LoadArchive(a.running)
				if err == nil {
					a.beginSealing(p)
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				failed, last = append(failed, p), err
				return nil
			})
		}
		_ = group.Wait() // the functions return nil
		if opened = failed; len(failed) == 0 || a.running.Err() != nil {
			return
		}
		a.logger.Warn("manifests not loaded, their partitions are sealed later",
			"partitions", len(failed), "err", last)
		if pause(a.running, d, false) != nil {
			return
		}
	}
}

// beginSealing gives a partition whose manifest is loaded into the care of the sealer and of the
// checkpointer, unless it is there or was closed meanwhile.
func (a *Agent) beginSealing(p *partition.Partition) {
	a.followMu.Lock()
	defer a.followMu.Unlock()
	tp := p.TopicPartition()
	if a.openReplica(tp) == p && !a.sealer.Has(tp) {
		a.sealer.Add(p.Sealable())
		a.saver.Add(p.Savable())
	}
}

// partitionFailed is called when a hot log takes no more appends.
func (a *Agent) partitionFailed(tp kafka.TopicPartition, err error) {
	if p := a.openReplica(tp); p != nil {
		p.Fail(err)
	}
}

// openReplica is the open partition of that name, or nil.
func (a *Agent) openReplica(tp kafka.TopicPartition) *partition.Partition {
	t := a.topology.Load()
	if t == nil {
		return nil
	}
	return t.open[tp]
}

// removeStrays deletes local logs of topics that the catalog has deleted while this agent was down.
func (a *Agent) removeStrays(state *cluster.State) error {
	tps, err := a.dir.Partitions()
	if err != nil {
		return err
	}
	for _, tp := range tps {
		a.removeIfDeleted(tp, state)
	}
	return nil
}

// removeIfDeleted removes the local log of a deleted topic's partition that is not open. What cannot
// be removed now is at the next start.
func (a *Agent) removeIfDeleted(tp kafka.TopicPartition, state *cluster.State) {
	if _, exists := state.TopicByID(tp.Topic); exists {
		return
	}
	if err := os.RemoveAll(a.dir.PartitionPath(tp)); err != nil {
		a.logger.Warn("log of a deleted topic not removed", "topic_id", tp.Topic.Hex(),
			"partition", tp.Partition, "err", err)
		return
	}
	a.logger.Info("removed log of a deleted topic", "topic_id", tp.Topic.Hex(),
		"partition", tp.Partition)
}
