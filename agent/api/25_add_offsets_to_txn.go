package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

// addOffsetsToTxn answers AddOffsetsToTxn (key 25): the group's partition of __consumer_offsets becomes
// part of the transaction.
func (h *Handler) addOffsetsToTxn(
	ctx context.Context, version int16, req *kmsg.AddOffsetsToTxnRequest,
) *kmsg.AddOffsetsToTxnResponse {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	resp := kmsg.NewPtrAddOffsetsToTxnResponse()
	p, err := h.offsetsPartition(ctx, req.Group)
	if err == nil {
		err = h.backend.AddPartitions(ctx, txn.AddPartitions{
			ID:         req.TransactionalID,
			Producer:   coordinator.Producer{ID: kafka.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch},
			Partitions: []txn.Partition{p},
		})
	}
	if err != nil {
		resp.ErrorCode = fencedCode(h.txnCode("AddOffsetsToTxn", err), version >= fencedTxnSince)
	}
	return resp
}

// offsetsPartition is where a group's offsets are kept. The topic is created if it is not there.
func (h *Handler) offsetsPartition(ctx context.Context, group string) (txn.Partition, error) {
	t, err := h.internalTopic(ctx, coordinator.OffsetsTopic)
	if err != nil {
		return txn.Partition{}, err
	}
	return txn.Partition{
		Topic:     coordinator.OffsetsTopic,
		Partition: coordinator.PartitionFor(group, int32(len(t.Partitions))),
	}, nil
}
