package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
)

// DeleteOffsets deletes committed offsets of topics that the group does not consume.
func (m *Machine) DeleteOffsets(
	_ time.Time, to coordinator.Token, q DeleteOffsetsRequest,
) coordinator.Effects {
	t := &turn{}
	g, err := m.lookup(q.Group)
	switch {
	case q.Group == "":
		err = ErrInvalidGroupID
	case err == nil:
		err = g.mayDeleteOffsets()
	}
	if err != nil {
		t.Refuse(to, err)
		return t.Effects
	}
	r := DeleteOffsetsResponse{Errs: make([]error, len(q.Topics))}
	e := m.groups[q.Group]
	for i, topic := range q.Topics {
		if g.subscribedTo(topic.Topic) {
			r.Errs[i] = ErrSubscribedToTopic
			continue
		}
		for _, partition := range topic.Partitions {
			m.deleteOffset(t, e, place{topic.Topic, partition})
		}
	}
	t.Answer(to, r)
	return t.Effects
}

// deleteOffset writes a tombstone where something is committed, or will be.
func (m *Machine) deleteOffset(t *turn, e *entry, at place) {
	if e.offsets.get(at.topic, at.partition) == nil && len(e.offsets.open[at]) == 0 {
		return
	}
	t.Records = append(t.Records, offsetTombstone(e.id, at.topic, at.partition))
	m.removeOffset(e.id, at)
}

// Delete deletes groups that are empty, with their offsets. The reply is a DeleteResponse.
func (m *Machine) Delete(_ time.Time, to coordinator.Token, groups []string) coordinator.Effects {
	t := &turn{}
	r := DeleteResponse{Errs: make([]error, len(groups))}
	size := 0
	for i, id := range groups {
		g, err := m.lookup(id)
		if err == nil {
			err = g.mayDelete()
		}
		if err == nil {
			if size += m.groups[id].recordBytes(); size > deleteBytesMax {
				err = ErrRecordTooLarge
			}
		}
		if r.Errs[i] = err; err == nil {
			m.deleteGroup(t, m.groups[id])
		}
	}
	t.Answer(to, r)
	return t.Effects
}

// deleteBytesMax bounds the tombstones that one request makes (V10); Kafka's bound is the size of one
// record batch, and smaller.
const deleteBytesMax = 16 << 20

// recordBytes is about what the tombstones of an entry's offsets take.
func (e *entry) recordBytes() int {
	n := 0
	for topic, partitions := range e.offsets.byTopic {
		n += len(partitions) * (offsetOverhead + len(e.id) + len(topic))
	}
	for at := range e.offsets.open {
		n += offsetOverhead + len(e.id) + len(at.topic)
	}
	return n
}

// deleteGroup writes the tombstones of a group and of its offsets.
func (m *Machine) deleteGroup(t *turn, e *entry) {
	for _, at := range e.places() {
		m.deleteOffset(t, e, at)
	}
	m.endGroup(t, e)
}

// endGroup writes the tombstones of a group without its offsets.
func (m *Machine) endGroup(t *turn, e *entry) {
	m.write(t, e.group.tombstones(nil)...)
	m.dropGroup(e.id)
}

// places lists the partitions with offsets, decided or not, in order.
func (e *entry) places() []place {
	var all []place
	for _, topic := range e.offsets.topics() {
		for _, partition := range e.offsets.partitions(topic) {
			all = append(all, place{topic, partition})
		}
	}
	for _, at := range e.offsets.undecided() {
		if e.offsets.get(at.topic, at.partition) == nil {
			all = append(all, at)
		}
	}
	return all
}
