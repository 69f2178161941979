package cluster

import (
	"fmt"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// SetPartition replaces one partition's leadership as decided on its PartitionEpoch, which rises by
// one. ErrUnknownTopic, ErrUnknownPartition, ErrStale, ErrInvalid.
type SetPartition struct {
	TP kafka.TopicPartition
	// Partition is the new value; its PartitionEpoch is the one that the decision saw.
	Partition Partition
}

// SetPartitions is many SetPartition in one, all or none, at the cost of one copy of the state and of
// each topic that it touches. A partition may appear once.
type SetPartitions []SetPartition

var (
	_ Change = SetPartition{}
	_ Change = SetPartitions{}
)

// Apply implements Change.
func (c SetPartition) Apply(s *State) (*State, error) { return SetPartitions{c}.Apply(s) }

// Apply implements Change.
func (cs SetPartitions) Apply(s *State) (*State, error) {
	n := s.clone()
	for _, c := range cs {
		old, ok := s.Partition(c.TP)
		if _, known := s.topics[c.TP.Topic]; !known {
			return nil, fmt.Errorf("change partition %s: %w", c.TP, ErrUnknownTopic)
		} else if !ok {
			return nil, fmt.Errorf("change partition %s: %w", c.TP, ErrUnknownPartition)
		}
		p, err := c.next(old)
		if err != nil {
			return nil, err
		}
		t := n.topics[c.TP.Topic]
		if t == s.topics[c.TP.Topic] {
			t = t.clone()
			n.topics[t.ID] = t
		}
		t.Partitions[c.TP.Partition] = p
	}
	return n, nil
}

// next is the partition after the change, or why it is refused.
func (c SetPartition) next(old Partition) (Partition, error) {
	p := c.Partition
	if p.PartitionEpoch != old.PartitionEpoch {
		return p, fmt.Errorf("change partition %s: %w: partition epoch %d, not %d",
			c.TP, ErrStale, old.PartitionEpoch, p.PartitionEpoch)
	}
	if p.LeaderEpoch < old.LeaderEpoch || p.Leader != old.Leader && p.LeaderEpoch == old.LeaderEpoch {
		return p, fmt.Errorf("change partition %s: %w: leader %d in epoch %d after leader %d in %d",
			c.TP, ErrInvalid, p.Leader, p.LeaderEpoch, old.Leader, old.LeaderEpoch)
	}
	p.PartitionEpoch++
	if err := p.validate(); err != nil {
		return p, fmt.Errorf("change partition %s: %w", c.TP, err)
	}
	return p, nil
}

func (p Partition) validate() error {
	if len(p.Assigned) == 0 || len(p.Assigned) > ReplicasMax || len(p.ISR) > ReplicasMax ||
		len(p.ELR) > ReplicasMax || p.Leader < NoAgent || p.LeaderEpoch < 0 || p.PartitionEpoch < 0 {
		return fmt.Errorf("%w: partition %+v", ErrInvalid, p)
	}
	if p.Leader != NoAgent && !slices.Contains(p.ISR, p.Leader) {
		return fmt.Errorf("%w: leader %d is not in sync", ErrInvalid, p.Leader)
	}
	return nil
}
