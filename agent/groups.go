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
)

// newGroups makes the group coordinators.
func (a *Agent) newGroups(cfg group.Config) (*coordinate.Shards[*group.Machine], error) {
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

// newMemberID is a random UUID in Kafka's text form.
func newMemberID() string { return catalog.NewTopicID().String() }

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

// askGroup runs a transition of the group's coordinator, if that is this agent, and waits for its reply.
func askGroup[T any](
	ctx context.Context, a *Agent, id string,
	do func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects,
) (T, error) {
	topic, ok := a.Topic(coordinator.OffsetsTopic)
	if !ok { // nobody asked for a coordinator yet
		var none T
		return none, fmt.Errorf("%w: there is no %s",
			coordinator.ErrNotCoordinator, coordinator.OffsetsTopic)
	}
	p := coordinator.PartitionFor(id, int32(len(topic.Partitions)))
	return coordinate.Answer[T](a.groups.Ask(ctx, p, do))
}
