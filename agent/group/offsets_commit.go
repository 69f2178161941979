package group

import (
	"errors"
	"time"
	"unicode/utf16"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Commit commits offsets, plainly or in a producer's transaction.
func (m *Machine) Commit(now time.Time, to coordinator.Token, q CommitRequest) coordinator.Effects {
	t := &turn{now: now}
	if q.Producer != nil && q.Group == "" {
		t.Refuse(to, ErrInvalidGroupID)
		return t.Effects
	}
	if err := m.mayCommit(t, &q); err != nil {
		t.Refuse(to, err)
		return t.Effects
	}
	if q.Producer != nil {
		t.Transaction = q.Producer
	}
	m.commit(t, &q)
	t.Answer(to, CommitResponse{Topics: q.Topics})
	return t.Effects
}

// mayCommit decides on a whole request, which also keeps a classic member's session.
func (m *Machine) mayCommit(t *turn, q *CommitRequest) error {
	g, err := m.lookup(q.Group)
	switch {
	case err == nil:
	case q.Generation < 0:
		// Offsets of a consumer without membership: a simple group comes with the first record.
	case q.Producer == nil && q.Version >= 9:
		return err
	default:
		return ErrIllegalGeneration
	}
	var mayPartition func(topic kafka.TopicID, partition int32) error
	if g != nil {
		mayPartition, err = g.mayCommit(committer{
			memberID: q.MemberID, instanceID: q.InstanceID, generation: q.Generation,
			transactional: q.Producer != nil, version: q.Version,
		})
		if err != nil {
			return inTransaction(q, err)
		}
	}
	if err := m.checkPartitions(q, mayPartition); err != nil {
		return inTransaction(q, err)
	}
	if c, ok := g.(*classicGroup); ok && q.Producer == nil {
		if mem := c.members[q.MemberID]; mem != nil && c.now != stateCompleting {
			m.keepSession(t, mem)
		}
	}
	return nil
}

// inTransaction is an error as TxnOffsetCommit gives it: its clients know of generations only.
func inTransaction(q *CommitRequest, err error) error {
	if q.Producer != nil && errors.Is(err, ErrStaleMemberEpoch) {
		return ErrIllegalGeneration
	}
	return err
}

// checkPartitions marks offsets whose metadata is too large and refuses the request where the group
// refuses a partition, or where it would make too large a batch.
func (m *Machine) checkPartitions(
	q *CommitRequest, may func(topic kafka.TopicID, partition int32) error,
) error {
	size := 0
	for i := range q.Topics {
		topic := &q.Topics[i]
		id := topic.ID
		if may != nil && q.Producer != nil {
			var ok bool
			if id, ok = m.topics.TopicID(topic.Topic); !ok {
				return ErrIllegalGeneration
			}
		}
		for j := range topic.Partitions {
			p := &topic.Partitions[j]
			if longer(p.Metadata, m.cfg.OffsetMetadataMax) {
				p.Err = ErrMetadataTooLarge
				continue
			}
			if may != nil {
				if err := may(id, p.Partition); err != nil {
					return err
				}
			}
			size += offsetOverhead + len(q.Group) + len(topic.Topic) + len(p.Metadata)
		}
	}
	if size > m.cfg.BatchBytesMax {
		return ErrRecordTooLarge
	}
	return nil
}

// offsetOverhead is what a record of an offset takes besides names and metadata, at most.
const offsetOverhead = 80

// longer reports whether s has more UTF-16 units than a bound.
func longer(s string, bound int) bool {
	return len(s) > bound && len(utf16.Encode([]rune(s))) > bound
}

// commit writes the offsets of a request and takes them in.
func (m *Machine) commit(t *turn, q *CommitRequest) {
	n := 0
	for i := range q.Topics {
		n += len(q.Topics[i].Partitions)
	}
	t.Records = make([]coordinator.Record, 0, n)
	e := m.entryOf(q.Group)
	defer m.forget(e) // if nothing is committed
	c := committed{at: kafka.TimestampOf(t.now), expires: kafka.NoTimestamp}
	if q.Producer == nil && q.Retention >= 0 {
		c.expires = kafka.TimestampOf(t.now.Add(q.Retention))
	}
	for i := range q.Topics {
		topic := &q.Topics[i]
		for j := range topic.Partitions {
			p := &topic.Partitions[j]
			if p.Err != nil {
				continue
			}
			c.offset, c.leaderEpoch, c.metadata = p.Offset, p.LeaderEpoch, p.Metadata
			switch {
			case c.expires != kafka.NoTimestamp:
				c.leaderEpoch = kafka.NoLeaderEpoch // the record has no field for it
			case q.Producer == nil:
				c.topic = topic.ID
			}
			t.Records = append(t.Records, offsetRecord(q.Group, topic.Topic, p.Partition, &c))
			if q.Producer != nil {
				m.putPending(e, place{topic.Topic, p.Partition}, c, q.Producer.ID)
			} else {
				m.putOffset(e, e.offsets.of(topic.Topic), p.Partition, c)
			}
		}
	}
}

// EndTransaction decides a producer's transaction: what it committed counts, or never will. The reply
// has no value.
func (m *Machine) EndTransaction(
	_ time.Time, to coordinator.Token, marker coordinator.Marker,
) coordinator.Effects {
	t := &turn{}
	m.ReplayEnd(marker.Producer, marker.Commit)
	t.Marker = &marker
	t.Answer(to, nil)
	return t.Effects
}
