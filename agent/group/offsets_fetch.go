package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Fetch answers committed offsets. A group that is not there has none.
func (m *Machine) Fetch(_ time.Time, to coordinator.Token, q FetchRequest) coordinator.Effects {
	t := &turn{}
	e := &entry{}
	if g, err := m.lookup(q.Group); err == nil {
		if err := g.mayFetch(q.MemberID, q.MemberEpoch); err != nil {
			t.Refuse(to, err)
			return t.Effects
		}
		e = m.groups[q.Group]
	}
	if q.All {
		t.Answer(to, FetchResponse{Topics: e.offsets.fetchAll(q.RequireStable)})
		return t.Effects
	}
	r := FetchResponse{Topics: make([]TopicOffsets, len(q.Topics))}
	for i, want := range q.Topics {
		out := TopicOffsets{
			Topic: want.Topic, ID: want.ID, Partitions: make([]PartitionOffset, len(want.Partitions)),
		}
		for j, partition := range want.Partitions {
			out.Partitions[j] = e.offsets.fetch(want.Topic, partition, q.RequireStable)
			if c := e.offsets.get(want.Topic, partition); c != nil && foreign(c.topic, want.ID) {
				out.Partitions[j].none()
			}
		}
		r.Topics[i] = out
	}
	t.Answer(to, r)
	return t.Effects
}

// foreign reports whether an offset was committed for another topic of the same name.
func foreign(have, want kafka.TopicID) bool {
	return !have.IsZero() && !want.IsZero() && have != want
}

func (o *offsets) fetchAll(stable bool) []TopicOffsets {
	all := make([]TopicOffsets, 0, len(o.byTopic))
	for _, topic := range o.topics() {
		out := TopicOffsets{Topic: topic}
		for _, partition := range o.partitions(topic) {
			out.Partitions = append(out.Partitions, o.fetch(topic, partition, stable))
		}
		all = append(all, out)
	}
	return all
}

func (o *offsets) fetch(topic string, partition int32, stable bool) PartitionOffset {
	p := PartitionOffset{Partition: partition}
	c := o.get(topic, partition)
	switch {
	case stable && len(o.open[place{topic, partition}]) > 0:
		p.none()
		p.Err = ErrUnstableOffset
	case c == nil:
		p.none()
	default:
		p.Offset, p.LeaderEpoch, p.Metadata = c.offset, c.leaderEpoch, c.metadata
	}
	return p
}

// none says that there is no offset. An error stays.
func (p *PartitionOffset) none() {
	p.Offset, p.LeaderEpoch, p.Metadata = kafka.NoOffset, kafka.NoLeaderEpoch, ""
}
