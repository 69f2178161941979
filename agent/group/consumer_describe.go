package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/assignor"
)

// ConsumerDescribe describes a consumer group. The reply is a ConsumerDescribed, or ErrGroupIDNotFound
// also for a group of another type.
func (m *Machine) ConsumerDescribe(_ time.Time, to coordinator.Token, id string) coordinator.Effects {
	t := &turn{}
	if g := m.consumer(id, false); g != nil {
		t.Answer(to, g.describe())
	} else {
		t.Refuse(to, m.otherType(id))
	}
	return t.Effects
}

// describe tells all of the group.
func (g *consumerGroup) describe() ConsumerDescribed {
	d := ConsumerDescribed{
		Group: g.id, State: g.state(), Epoch: g.epoch, AssignmentEpoch: g.targetEpoch, Assignor: g.assignor(),
	}
	image := g.m.topics.Image()
	for _, id := range sortedKeys(g.members) {
		c := g.members[id]
		w := ConsumerMemberDescribed{
			MemberID: id, Epoch: c.epoch(), Client: c.client, Topics: c.topics, Regex: c.regex,
			Assigned: named(image, c.holds()), Target: named(image, g.target[id]), Classic: c.classic != nil,
		}
		if c.instance != "" {
			w.InstanceID = &c.instance
		}
		if c.rack != "" {
			w.Rack = &c.rack
		}
		d.Members = append(d.Members, w)
	}
	return d
}

// named gives the topics of an assignment that still exist their names.
func named(image Image, a assignor.Assignment) []AssignedTopic {
	var list []AssignedTopic
	for _, id := range a.Topics() {
		if topic, ok := image.ByID(id); ok {
			list = append(list, AssignedTopic{ID: id, Name: topic.Name, Partitions: a[id]})
		}
	}
	return list
}
