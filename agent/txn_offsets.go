package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinate"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

const (
	// abortableOffsetsSince is the first version of TxnOffsetCommit whose clients know
	// TRANSACTION_ABORTABLE, addedOffsetsSince the first one that adds the group's partition to the
	// transaction by itself (KIP-890).
	abortableOffsetsSince = 4
	addedOffsetsSince     = 5
)

// CommitTransactionOffsets implements api.Groups. The first offsets of a transaction in a partition of
// __consumer_offsets are verified with the producer's coordinator, as the batches of a producer are.
func (a *Agent) CommitTransactionOffsets(
	ctx context.Context, transactionalID string, q group.CommitRequest,
) (group.CommitResponse, error) {
	if q.Group == "" {
		return group.CommitResponse{}, group.ErrInvalidGroupID
	}
	topic, ok := a.Topic(coordinator.OffsetsTopic)
	if !ok {
		return group.CommitResponse{}, coordinator.ErrNotCoordinator
	}
	p := coordinator.PartitionFor(q.Group, int32(len(topic.Partitions)))
	log, err := a.Partition(kafka.TopicPartition{Topic: topic.ID, Partition: p})
	if err != nil {
		return group.CommitResponse{}, fmt.Errorf("%w: %w", coordinator.ErrNotCoordinator, err)
	}
	adds := q.Version >= addedOffsetsSince
	in := coordinate.Transaction{Producer: *q.Producer}
	in.Guard, err = log.BeginVerification(in.Producer.ID, in.Producer.Epoch, kafka.NoSequence, adds)
	if err == nil && in.Guard != 0 {
		err = a.admitOffsets(ctx, transactionalID, in.Producer, p, adds)
	}
	switch {
	case errors.Is(err, txn.ErrProducerFenced):
		err = api.ErrInvalidProducerEpoch
	case errors.Is(err, txn.ErrAbortable) && q.Version < abortableOffsetsSince:
		err = api.ErrInvalidTxnState
	}
	if err != nil {
		return group.CommitResponse{}, err
	}
	return coordinate.Answer[group.CommitResponse](a.groups.AskIn(ctx, p, in,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Commit(now, to, q)
		}))
}

// admitOffsets verifies that a partition of __consumer_offsets is part of a transaction, or adds it.
func (a *Agent) admitOffsets(
	ctx context.Context, id string, of coordinator.Producer, partition int32, adds bool,
) error {
	partitions := []txn.Partition{{Topic: coordinator.OffsetsTopic, Partition: partition}}
	if adds {
		return a.AddPartitions(ctx, txn.AddPartitions{
			ID: id, Producer: of, Partitions: partitions, Version: txn.Version2,
		})
	}
	if !a.AgentSettings().Transactions.Verification {
		return nil
	}
	verdicts, err := a.VerifyPartitions(ctx, txn.VerifyPartitions{
		ID: id, Producer: of, Partitions: partitions,
	})
	if err != nil {
		return err
	}
	return verdicts[0]
}
