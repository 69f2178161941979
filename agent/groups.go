package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinate"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// newGroups makes the group coordinators.
func (a *Agent) newGroups() (*coordinate.Shards[*group.Machine], error) {
	s, err := settings.AgentFromConfigs(a.cfg.Settings)
	if err != nil {
		return nil, err
	}
	cfg := groupConfig(&s.Groups)
	cfg.Consumer = consumerConfig(s.ConsumerGroups)
	cfg.Consumer.Of = a.consumerConfigOf
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return coordinate.New(coordinate.Parts[*group.Machine]{
		Topic: coordinator.OffsetsTopic, Logger: a.logger,
		Metrics: coordinate.NewMetrics(a.registry, coordinator.OffsetsTopic),
		New: func(int32, int32) *group.Machine {
			return group.New(cfg, groupTopics{a}, newMemberID)
		},
	}), nil
}

// groupConfig is what an agent's settings say of groups.
func groupConfig(s *settings.Groups) group.Config {
	cfg := group.DefaultConfig()
	cfg.SessionTimeoutMin, cfg.SessionTimeoutMax = s.SessionTimeoutMin, s.SessionTimeoutMax
	cfg.InitialRebalanceDelay, cfg.MembersMax = s.InitialRebalanceDelay, s.MembersMax
	cfg.OffsetMetadataMax = s.OffsetMetadataMax
	cfg.OffsetsRetention, cfg.OffsetsRetentionCheck = s.OffsetsRetention, s.OffsetsRetentionCheck
	return cfg
}

// consumerConfig is what settings say of groups of the consumer protocol.
func consumerConfig(s settings.ConsumerGroups) group.ConsumerConfig {
	return group.ConsumerConfig{
		SessionTimeout: s.SessionTimeout, HeartbeatInterval: s.HeartbeatInterval,
		AssignmentInterval: s.AssignmentInterval, RegexRefresh: s.RegexRefresh,
		MembersMax: s.MembersMax, Assignors: s.Assignors, Migration: group.Migration(s.MigrationPolicy),
	}
}

// consumerConfigOf is what counts for one group: the agent's settings with the group's own.
func (a *Agent) consumerConfigOf(id string) group.ConsumerConfig {
	t := a.topology.Load()
	return consumerConfig(t.settings.ConsumerGroups.With(t.state.GroupConfigs(id)))
}

// newMemberID is a random UUID (version 4) in the text form of Java's, as in Kafka's member ids.
func newMemberID() string {
	id := catalog.NewTopicID()
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// groupTopics are the cluster's topics as groups see them.
type groupTopics struct{ a *Agent }

// TopicID implements group.Topics.
func (t groupTopics) TopicID(name string) (kafka.TopicID, bool) {
	topic, ok := t.a.Topic(name)
	if !ok {
		return kafka.TopicID{}, false
	}
	return topic.ID, true
}

// Image implements group.Topics.
func (t groupTopics) Image() group.Image { return topicsImage{t.a.topology.Load()} }

// topicsImage is a topology as groups see it. It implements group.Image.
type topicsImage struct{ t *topology }

func (i topicsImage) Version() int64 { return i.t.state.Changed }

func (i topicsImage) ByName(name string) (group.Topic, bool) { return groupTopic(i.t.byName[name]) }

func (i topicsImage) ByID(id kafka.TopicID) (group.Topic, bool) { return groupTopic(i.t.byID[id]) }

func (i topicsImage) Each(f func(group.Topic)) {
	for _, topic := range i.t.sorted {
		each, _ := groupTopic(topic)
		f(each)
	}
}

func groupTopic(t *api.Topic) (group.Topic, bool) {
	if t == nil {
		return group.Topic{}, false
	}
	return group.Topic{Name: t.Name, ID: t.ID, Partitions: int32(len(t.Partitions))}, true
}

// askGroup is Agent.askGroup for replies of a type.
func askGroup[T any](
	ctx context.Context, a *Agent, id string,
	do func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects,
) (T, error) {
	return coordinate.Answer[T](a.askGroup(ctx, id, do))
}

// askGroup runs a transition of the group's coordinator, if that is this agent, and waits for its reply.
func (a *Agent) askGroup(
	ctx context.Context, id string,
	do func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects,
) (any, error) {
	topic, ok := a.Topic(coordinator.OffsetsTopic)
	if !ok { // nobody asked for a coordinator yet
		return nil, fmt.Errorf("%w: there is no %s",
			coordinator.ErrNotCoordinator, coordinator.OffsetsTopic)
	}
	return a.groups.Ask(ctx, coordinator.PartitionFor(id, int32(len(topic.Partitions))), do)
}
