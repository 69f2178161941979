package agent

import (
	"maps"
	"slices"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/partition"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// topology is the catalog's state as clients see it, with the partitions that this agent has open. It
// is immutable; the agent publishes a new one after each change.
type topology struct {
	state    *cluster.State
	settings *settings.Agent
	agents   []api.Agent
	byName   map[string]*api.Topic
	byID     map[kafka.TopicID]*api.Topic
	sorted   []*api.Topic
	open     map[kafka.TopicPartition]*partition.Partition
	// sources keeps which catalog value a topic was made of: what did not change is not made again.
	sources map[kafka.TopicID]*cluster.Topic
}

// topologyOf makes the view of a state, taking over from the one before what did not change.
func topologyOf(
	state *cluster.State, agentSettings *settings.Agent, before *topology,
) (*topology, error) {
	t := &topology{
		state: state, settings: agentSettings,
		byName:  make(map[string]*api.Topic, state.TopicCount()),
		byID:    make(map[kafka.TopicID]*api.Topic, state.TopicCount()),
		sources: make(map[kafka.TopicID]*cluster.Topic, state.TopicCount()),
		sorted:  make([]*api.Topic, 0, state.TopicCount()),
		open:    map[kafka.TopicPartition]*partition.Partition{},
	}
	for _, a := range state.Agents() {
		t.agents = append(t.agents, agentOf(a))
	}
	sameSettings := before != nil && before.settings == agentSettings
	if before != nil {
		t.open = before.open
	}
	for _, source := range state.Topics() {
		var topic *api.Topic
		if sameSettings && before.sources[source.ID] == source {
			topic = before.byID[source.ID]
		} else {
			made, err := topicOf(source, agentSettings)
			if err != nil {
				return nil, err
			}
			topic = made
		}
		t.byName[topic.Name], t.byID[topic.ID] = topic, topic
		t.sources[topic.ID] = source
		t.sorted = append(t.sorted, topic)
	}
	return t, nil
}

// withOpen is the same view with other open partitions.
func (t *topology) withOpen(change func(map[kafka.TopicPartition]*partition.Partition)) *topology {
	next := *t
	next.open = maps.Clone(t.open)
	change(next.open)
	return &next
}

func agentOf(a *cluster.Agent) api.Agent {
	host, port, err := splitAddress(a.Advertised)
	if err != nil {
		return api.Agent{ID: a.ID, Rack: a.Rack, Fenced: true}
	}
	return api.Agent{ID: a.ID, Host: host, Port: port, Rack: a.Rack, Fenced: a.Fenced}
}

func topicOf(source *cluster.Topic, defaults *settings.Agent) (*api.Topic, error) {
	effective, err := settings.FromConfigs(source.Configs, defaults)
	if err != nil {
		return nil, err
	}
	topic := &api.Topic{
		ID: source.ID, Name: source.Name, Internal: coordinator.Internal(source.Name),
		Configs: source.Configs, Settings: effective,
		Partitions: make([]api.PartitionState, len(source.Partitions)),
	}
	for i, p := range source.Partitions {
		topic.Partitions[i] = api.PartitionState{
			Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: p.Assigned, ISR: p.ISR,
		}
	}
	return topic, nil
}

// ledBy lists the partitions that an agent leads, with their topics and epochs.
func (t *topology) ledBy(agent int32) []ledPartition {
	var led []ledPartition
	for _, topic := range t.sorted {
		for i, p := range topic.Partitions {
			if p.Leader == agent {
				led = append(led, ledPartition{
					tp:    kafka.TopicPartition{Topic: topic.ID, Partition: int32(i)},
					topic: topic, epoch: p.LeaderEpoch,
				})
			}
		}
	}
	return led
}

type ledPartition struct {
	tp    kafka.TopicPartition
	topic *api.Topic
	epoch kafka.LeaderEpoch
}

// closedBy lists the open partitions that are not among those led.
func (t *topology) closedBy(led []ledPartition) []*partition.Partition {
	keep := make(map[kafka.TopicPartition]bool, len(led))
	for _, l := range led {
		keep[l.tp] = true
	}
	gone := slices.Collect(maps.Values(t.open))
	return slices.DeleteFunc(gone, func(p *partition.Partition) bool {
		return keep[p.TopicPartition()]
	})
}
