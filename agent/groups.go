package agent

import (
	"context"
	"fmt"
	"time"

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
