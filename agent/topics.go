package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/kafka"
)

// CreateTopics implements api.Topics.
func (a *Agent) CreateTopics(
	ctx context.Context, topics []api.NewTopic, validateOnly bool,
) []api.CreateResult {
	ids := make([]kafka.TopicID, len(topics))
	errs := a.each(ctx, len(topics), validateOnly, func(i int) (cluster.Change, error) {
		t := topics[i]
		assignments, err := a.assign(int(t.Partitions), t.ReplicationFactor, t.Assignments)
		if err != nil {
			return nil, err
		}
		ids[i] = catalog.NewTopicID()
		return cluster.CreateTopic{
			ID: ids[i], Name: t.Name, CreatedAt: kafka.TimestampOf(time.Now()),
			Configs: t.Configs, Assignments: assignments,
		}, nil
	})
	results := make([]api.CreateResult, len(topics))
	now := a.topology.Load()
	for i, err := range errs {
		results[i].Err = err
		switch {
		case err != nil:
		case validateOnly:
			results[i].Topic, results[i].Err = a.wouldBe(topics[i], ids[i])
		default:
			if results[i].Topic = now.byID[ids[i]]; results[i].Topic == nil {
				results[i].Err = fmt.Errorf("%w: topic %q was deleted again",
					api.ErrConflict, topics[i].Name)
			}
		}
	}
	return results
}

// wouldBe describes a topic that is not created.
func (a *Agent) wouldBe(t api.NewTopic, id kafka.TopicID) (*api.Topic, error) {
	assignments, err := a.assign(int(t.Partitions), t.ReplicationFactor, t.Assignments)
	if err != nil {
		return nil, err
	}
	source := &cluster.Topic{ID: id, Name: t.Name, Configs: t.Configs}
	for _, replicas := range assignments {
		source.Partitions = append(source.Partitions, cluster.Partition{
			Leader: replicas[0], ISR: replicas, Assigned: replicas,
		})
	}
	return topicOf(source, a.AgentSettings())
}

// assign gives each partition its replicas: those asked for, or this agent. One agent leads all there
// is, so that only one replica is possible.
func (a *Agent) assign(partitions int, factor int16, given [][]int32) ([][]int32, error) {
	if given != nil {
		for i, replicas := range given {
			for _, id := range replicas {
				if id != a.cfg.AgentID {
					return nil, fmt.Errorf("%w: partition %d is to be on agent %d, there is agent %d",
						api.ErrInvalidReplicaAssignment, i, id, a.cfg.AgentID)
				}
			}
			if len(replicas) != 1 {
				return nil, fmt.Errorf("%w: partition %d has %d replicas, there is one agent",
					api.ErrInvalidReplicaAssignment, i, len(replicas))
			}
		}
		return given, nil
	}
	if factor > 1 {
		return nil, fmt.Errorf("%w: replication factor %d, there is one agent",
			api.ErrInvalidReplicationFactor, factor)
	}
	out := make([][]int32, partitions)
	for i := range out {
		out[i] = []int32{a.cfg.AgentID}
	}
	return out, nil
}

// DeleteTopics implements api.Topics.
func (a *Agent) DeleteTopics(ctx context.Context, ids []kafka.TopicID) []error {
	now, err := a.catalog.StoreNow(ctx)
	errs := a.each(ctx, len(ids), false, func(i int) (cluster.Change, error) {
		if err != nil {
			return nil, refusal(err)
		}
		return cluster.DeleteTopic{ID: ids[i], At: kafka.TimestampOf(now)}, nil
	})
	return errs
}

// CreatePartitions implements api.Topics.
func (a *Agent) CreatePartitions(
	ctx context.Context, changes []api.NewPartitions, validateOnly bool,
) []error {
	return a.each(ctx, len(changes), validateOnly, func(i int) (cluster.Change, error) {
		c := changes[i]
		topic, ok := a.TopicByID(c.Topic)
		if !ok {
			return nil, fmt.Errorf("%s: %w", c.Topic, api.ErrUnknownTopic)
		}
		more := int(c.Count) - len(topic.Partitions)
		if more <= 0 {
			return nil, fmt.Errorf("%w: topic %q has %d partitions already, %d are asked for",
				api.ErrInvalidPartitions, topic.Name, len(topic.Partitions), c.Count)
		}
		assignments, err := a.assign(more, 1, c.Assignments)
		if err != nil {
			return nil, err
		}
		return cluster.CreatePartitions{
			ID: c.Topic, Have: int32(len(topic.Partitions)), Assignments: assignments,
		}, nil
	})
}
