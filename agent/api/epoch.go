package api

import (
	"fmt"

	"github.com/varve-log/varve/kafka"
)

// checkEpoch compares the leader epoch that a client believes in with the one this agent leads in
// (KIP-320). A negative epoch is not checked.
func checkEpoch(p Partition, current int32) error {
	leads := p.LeaderEpoch()
	switch asked := kafka.LeaderEpoch(current); {
	case asked < 0 || asked == leads:
		return nil
	case asked < leads:
		return fmt.Errorf("%w: asked for epoch %d, the leader is in %d",
			ErrFencedLeaderEpoch, asked, leads)
	default:
		return fmt.Errorf("%w: asked for epoch %d, the leader is in %d",
			ErrUnknownLeaderEpoch, asked, leads)
	}
}

// leading finds the replica of a partition of a named topic that this agent leads in the epoch that
// the client believes in.
func (h *Handler) leading(topic string, partition, epoch int32) (Partition, error) {
	t, ok := h.backend.Topic(topic)
	if !ok {
		return nil, ErrUnknownTopic
	}
	p, err := h.replica(t, partition)
	if err != nil {
		return nil, err
	}
	return p, checkEpoch(p, epoch)
}

// replica finds the replica of a topic's partition that this agent leads.
func (h *Handler) replica(t *Topic, partition int32) (Partition, error) {
	if partition < 0 || int(partition) >= len(t.Partitions) {
		return nil, ErrUnknownPartition
	}
	return h.backend.Partition(kafka.TopicPartition{Topic: t.ID, Partition: partition})
}
