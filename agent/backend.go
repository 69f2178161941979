package agent

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

var _ api.Backend = (*Agent)(nil)

// ClusterID implements api.Cluster.
func (a *Agent) ClusterID() string { return a.topology.Load().state.ClusterID }

// AgentID implements api.Cluster.
func (a *Agent) AgentID() int32 { return a.cfg.AgentID }

// ControllerID implements api.Cluster: every agent commits to the catalog by itself.
func (a *Agent) ControllerID() int32 { return a.cfg.AgentID }

// Agents implements api.Cluster.
func (a *Agent) Agents() []api.Agent { return a.topology.Load().agents }

// Topic implements api.Topics.
func (a *Agent) Topic(name string) (*api.Topic, bool) {
	t, ok := a.topology.Load().byName[name]
	return t, ok
}

// TopicByID implements api.Topics.
func (a *Agent) TopicByID(id kafka.TopicID) (*api.Topic, bool) {
	t, ok := a.topology.Load().byID[id]
	return t, ok
}

// AllTopics implements api.Topics.
func (a *Agent) AllTopics() []*api.Topic { return a.topology.Load().sorted }

// Partition implements api.Topics.
func (a *Agent) Partition(tp kafka.TopicPartition) (api.Partition, error) {
	t := a.topology.Load()
	if p, ok := t.open[tp]; ok {
		return p, nil
	}
	topic, ok := t.byID[tp.Topic]
	if !ok || tp.Partition < 0 || int(tp.Partition) >= len(topic.Partitions) {
		return nil, fmt.Errorf("%s: %w", tp, api.ErrUnknownPartition)
	}
	if leader := topic.Partitions[tp.Partition].Leader; leader != a.cfg.AgentID {
		return nil, fmt.Errorf("%s: %w: agent %d leads it", tp, api.ErrNotLeader, leader)
	}
	return nil, fmt.Errorf("%s: %w: its log could not be opened", tp, api.ErrStorage)
}

// LogDir implements api.Disks.
func (a *Agent) LogDir() (api.LogDir, error) {
	path, err := filepath.Abs(a.dir.Path())
	if err != nil {
		return api.LogDir{}, fmt.Errorf("%w: %w", api.ErrStorage, err)
	}
	space, err := a.fs.Space(path)
	if err != nil {
		return api.LogDir{}, fmt.Errorf("%w: %w", api.ErrStorage, err)
	}
	return api.LogDir{Path: path, TotalBytes: space.TotalBytes, UsableBytes: space.FreeBytes}, nil
}

// AgentConfigs implements api.Configs.
func (a *Agent) AgentConfigs(id int32) api.AgentConfigs {
	state := a.topology.Load().state
	c := api.AgentConfigs{Dynamic: state.AgentConfigs(id), DynamicDefault: state.DefaultConfigs()}
	if id == a.cfg.AgentID {
		c.Static = a.cfg.Settings
	}
	return c
}

// GroupConfigs implements api.Configs.
func (a *Agent) GroupConfigs(group string) map[string]string {
	return a.topology.Load().state.GroupConfigs(group)
}

// GroupsConfigured implements api.Configs.
func (a *Agent) GroupsConfigured() []string { return a.topology.Load().state.GroupsConfigured() }

// AgentSettings implements api.Configs.
func (a *Agent) AgentSettings() *settings.Agent { return a.topology.Load().settings }

// AlterConfigs implements api.Configs.
func (a *Agent) AlterConfigs(
	ctx context.Context, changes []api.ConfigChange, validateOnly bool,
) []error {
	return a.each(ctx, len(changes), validateOnly, func(i int) (cluster.Change, error) {
		c := changes[i]
		return cluster.AlterConfigs{
			Topic: c.Topic, Group: c.Group, Agent: c.Agent, AllAgents: c.AllAgents, Set: c.Set, Delete: c.Delete,
		}, nil
	})
}

// each commits one change for each of n items, all at once, and follows the result. The error of an
// item is its own.
func (a *Agent) each(
	ctx context.Context, n int, validateOnly bool, change func(i int) (cluster.Change, error),
) []error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		c, err := change(i)
		switch {
		case err != nil:
			errs[i] = err
		case validateOnly:
			_, err := c.Apply(a.catalog.State())
			errs[i] = refusal(err)
		default:
			// Commits that come together share one write of the head.
			group.Go(func() {
				_, err := a.catalog.Commit(ctx, c)
				errs[i] = refusal(err)
			})
		}
	}
	group.Wait()
	if !validateOnly {
		// Under the agent's life, not the request's: what is committed has to be followed.
		if err := a.follow(a.running, a.catalog.State()); err != nil {
			a.logger.Error("partitions are offline", "err", err)
		}
		if err := a.catalog.Superseded(); errors.Is(err, cluster.ErrSuperseded) {
			a.fail(err)
		}
	}
	return errs
}

// refusals gives each of the catalog's reasons the sentinel that the handlers know.
var refusals = []struct{ cause, sentinel error }{
	{cluster.ErrTopicExists, api.ErrTopicExists},
	{cluster.ErrNameCollides, api.ErrInvalidTopic},
	{cluster.ErrUnknownTopic, api.ErrUnknownTopicID},
	{cluster.ErrUnknownPartition, api.ErrUnknownPartition},
	{cluster.ErrUnknownAgent, api.ErrInvalidReplicaAssignment},
	{cluster.ErrSuperseded, api.ErrStopping},
	{cluster.ErrStale, api.ErrConflict},
	{cluster.ErrInvalid, api.ErrInvalidRequest},
	{catalog.ErrConflict, api.ErrConflict},
	{catalog.ErrOverloaded, api.ErrBucket},
	{catalog.ErrClosed, api.ErrStopping},
	{objstore.ErrUnknownOutcome, api.ErrBucket},
	{objstore.ErrUnavailable, api.ErrBucket},
	{context.DeadlineExceeded, api.ErrTimedOut},
}

func refusal(err error) error {
	if err == nil {
		return nil
	}
	for _, r := range refusals {
		if errors.Is(err, r.cause) {
			return fmt.Errorf("%w: %w", r.sentinel, err)
		}
	}
	return err
}

// producerIDs hands out the ids of the block that the catalog gave this agent.
type producerIDs struct {
	mu   sync.Mutex
	next kafka.ProducerID
	end  kafka.ProducerID
}

// NextProducerID implements api.ProducerIDs. A block is never resumed after a restart, so no id repeats.
func (a *Agent) NextProducerID(ctx context.Context) (kafka.ProducerID, error) {
	ids := &a.producerIDs
	ids.mu.Lock()
	defer ids.mu.Unlock()
	if ids.next == ids.end {
		block, err := a.catalog.AllocateProducerIDs(ctx, a.cfg.AgentID)
		if err != nil {
			return kafka.NoProducerID, refusal(err)
		}
		ids.next, ids.end = block.Base, block.Next
	}
	id := ids.next
	ids.next++
	return id, nil
}
