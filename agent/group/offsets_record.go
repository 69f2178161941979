package group

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

const (
	// offsetVersion is the version that offsets are written in, offsetExpiring that of offsets with a
	// retention of their own, the only one that has a field for it.
	offsetVersion, offsetExpiring int16 = 4, 1
	offsetVersionMax              int16 = 4
)

// offsetKey is the key of a committed offset.
func offsetKey(group, topic string, partition int32) []byte {
	key := make([]byte, 0, 10+len(group)+len(topic))
	key = binary.BigEndian.AppendUint16(key, uint16(keyOffset))
	key = appendString(key, group)
	key = appendString(key, topic)
	return binary.BigEndian.AppendUint32(key, uint32(partition))
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// offsetRecord is the record of a committed offset.
func offsetRecord(group, topic string, partition int32, c *committed) coordinator.Record {
	v := kmsg.OffsetCommitValue{
		Version: offsetVersion, Offset: int64(c.offset), LeaderEpoch: int32(c.leaderEpoch),
		Metadata: c.metadata, CommitTimestamp: int64(c.at), ExpireTimestamp: int64(c.expires),
		TopicID: c.topic,
	}
	if c.expires != kafka.NoTimestamp {
		v.Version = offsetExpiring
	}
	return coordinator.Record{
		Key:   offsetKey(group, topic, partition),
		Value: v.AppendTo(make([]byte, 0, 48+len(c.metadata))),
	}
}

// offsetTombstone is the record that a committed offset is gone.
func offsetTombstone(group, topic string, partition int32) coordinator.Record {
	return coordinator.Record{Key: offsetKey(group, topic, partition)}
}

// replayOffset takes in a committed offset or its tombstone.
func (m *Machine) replayOffset(r coordinator.Stored) error {
	group, rest, ok := takeString(r.Key[2:])
	topic, rest, ok2 := takeString(rest)
	if !ok || !ok2 || len(rest) != 4 {
		return fmt.Errorf("%w: offset key of %d bytes", ErrUnknownRecord, len(r.Key))
	}
	partition := int32(binary.BigEndian.Uint32(rest))
	if r.Value == nil {
		m.removeOffset(string(group), place{string(topic), partition})
		return nil
	}
	if len(r.Value) < 2 || int16(binary.BigEndian.Uint16(r.Value)) > offsetVersionMax {
		return fmt.Errorf("%w: offset value", ErrUnknownRecord)
	}
	var v kmsg.OffsetCommitValue
	v.Default()
	if err := v.ReadFrom(r.Value); err != nil {
		return fmt.Errorf("%w: offset value: %w", ErrUnknownRecord, err)
	}
	c := committed{
		offset: kafka.Offset(v.Offset), leaderEpoch: kafka.NoLeaderEpoch, metadata: v.Metadata,
		at: kafka.Timestamp(v.CommitTimestamp), expires: kafka.NoTimestamp, topic: v.TopicID,
	}
	if v.Version >= 3 {
		c.leaderEpoch = kafka.LeaderEpoch(v.LeaderEpoch)
	}
	if v.Version == offsetExpiring {
		c.expires = kafka.Timestamp(v.ExpireTimestamp)
	}
	e := m.groups[string(group)]
	if e == nil {
		e = m.entryOf(string(group))
	}
	if r.Transactional {
		m.putPending(e, place{string(topic), partition}, c, r.Producer.ID)
		return nil
	}
	partitions := e.offsets.byTopic[string(topic)] // a look-up that does not copy the name
	if partitions == nil {
		partitions = e.offsets.of(string(topic))
	}
	m.putOffset(e, partitions, partition, c)
	return nil
}

// takeString reads a string with its length before it.
func takeString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-2 {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}

// ensureGroup makes a simple group for offsets that were committed without membership.
func (m *Machine) ensureGroup(e *entry) {
	if e.group == nil {
		m.setGroup(e.id, newClassicGroup(m, e.id))
	}
}

// putOffset takes in a committed offset of e, among those of its topic.
func (m *Machine) putOffset(
	e *entry, partitions map[int32]*committed, partition int32, c committed,
) {
	m.applied++
	c.order = m.applied
	put(partitions, partition, c)
	m.ensureGroup(e)
}

// putPending takes in an offset that counts once its producer's transaction commits.
func (m *Machine) putPending(e *entry, at place, c committed, id kafka.ProducerID) {
	m.applied++
	c.order = m.applied
	p := m.pending[id]
	if p == nil {
		p = &pendingOffsets{byGroup: make(map[string]map[place]committed)}
		m.pending[id] = p
	}
	p.put(e.id, at, c)
	e.offsets.begin(at, id)
	m.ensureGroup(e)
}

// removeOffset takes in a tombstone, which also ends what open transactions commit there.
func (m *Machine) removeOffset(group string, at place) {
	e := m.groups[group]
	if e == nil {
		return
	}
	e.offsets.remove(at.topic, at.partition)
	for _, id := range e.offsets.open[at] {
		if p := m.pending[id]; p != nil {
			p.remove(group, at)
		}
	}
	delete(e.offsets.open, at)
	m.forget(e)
}

// ReplayEnd takes in the end of a producer's transaction. Of a transactional and a plain commit the one
// that was written last counts.
func (m *Machine) ReplayEnd(producer coordinator.Producer, commit bool) {
	p := m.pending[producer.ID]
	if p == nil {
		return
	}
	delete(m.pending, producer.ID)
	for group, places := range p.byGroup {
		e := m.entryOf(group)
		for at, c := range places {
			e.offsets.end(at, producer.ID)
			if have := e.offsets.get(at.topic, at.partition); commit && (have == nil || c.order > have.order) {
				put(e.offsets.of(at.topic), at.partition, c)
			}
		}
		m.forget(e)
	}
}
