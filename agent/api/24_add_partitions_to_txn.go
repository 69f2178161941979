package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

const (
	// batchedAddSince is the first version of AddPartitionsToTxn that brokers send for many
	// transactions at once; those before are sent by clients (KIP-890).
	batchedAddSince = 4
	// fencedTxnSince is the first version of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn whose
	// clients know PRODUCER_FENCED.
	fencedTxnSince = 2
)

// addPartitionsToTxn answers AddPartitionsToTxn (key 24).
func (h *Handler) addPartitionsToTxn(
	ctx context.Context, version int16, req *kmsg.AddPartitionsToTxnRequest,
) *kmsg.AddPartitionsToTxnResponse {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	resp := kmsg.NewPtrAddPartitionsToTxnResponse()
	if version >= batchedAddSince {
		for i := range req.Transactions {
			t := &req.Transactions[i]
			r := kmsg.NewAddPartitionsToTxnResponseTransaction()
			r.TransactionalID = t.TransactionalID
			r.Topics = h.addToTxn(ctx, version, t)
			resp.Transactions = append(resp.Transactions, r)
		}
		return resp
	}
	one := kmsg.AddPartitionsToTxnRequestTransaction{
		TransactionalID: req.TransactionalID, ProducerID: req.ProducerID,
		ProducerEpoch: req.ProducerEpoch,
	}
	for i := range req.Topics {
		one.Topics = append(one.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{
			Topic: req.Topics[i].Topic, Partitions: req.Topics[i].Partitions,
		})
	}
	for _, t := range h.addToTxn(ctx, version, &one) {
		r := kmsg.NewAddPartitionsToTxnResponseTopic()
		r.Topic = t.Topic
		for _, p := range t.Partitions {
			r.Partitions = append(r.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{
				Partition: p.Partition, ErrorCode: p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, r)
	}
	return resp
}

// addToTxn adds partitions to one transaction, or only verifies that they are part of it. Where one
// does not exist none is added.
func (h *Handler) addToTxn(
	ctx context.Context, version int16, t *kmsg.AddPartitionsToTxnRequestTransaction,
) []kmsg.AddPartitionsToTxnResponseTransactionTopic {
	var all []txn.Partition
	missing := false
	for i := range t.Topics {
		for _, p := range t.Topics[i].Partitions {
			all = append(all, txn.Partition{Topic: t.Topics[i].Topic, Partition: p})
			missing = missing || !h.exists(t.Topics[i].Topic, p)
		}
	}
	if missing {
		return topicsOf(t, func(_ int, p txn.Partition) code {
			if h.exists(p.Topic, p.Partition) {
				return kerr.OperationNotAttempted.Code
			}
			return codeUnknownTopic
		})
	}
	producer := coordinator.Producer{ID: kafka.ProducerID(t.ProducerID), Epoch: t.ProducerEpoch}
	var verdicts []error
	var err error
	if t.VerifyOnly {
		verdicts, err = h.backend.VerifyPartitions(ctx, txn.VerifyPartitions{
			ID: t.TransactionalID, Producer: producer, Partitions: all,
		})
	} else {
		q := txn.AddPartitions{ID: t.TransactionalID, Producer: producer, Partitions: all}
		if version >= batchedAddSince {
			q.Version = txn.Version2
		}
		err = h.backend.AddPartitions(ctx, q)
	}
	if err != nil {
		c := fencedCode(h.txnCode("AddPartitionsToTxn", err), version >= fencedTxnSince)
		return topicsOf(t, func(int, txn.Partition) code { return c })
	}
	return topicsOf(t, func(i int, _ txn.Partition) code {
		if verdicts == nil {
			return codeNone
		}
		return codeOf(verdicts[i])
	})
}

// exists reports whether a topic has a partition.
func (h *Handler) exists(topic string, partition int32) bool {
	t, ok := h.backend.Topic(topic)
	return ok && partition >= 0 && int(partition) < len(t.Partitions)
}

// topicsOf answers each partition of a transaction, in the order of the request.
func topicsOf(
	t *kmsg.AddPartitionsToTxnRequestTransaction, answer func(i int, p txn.Partition) code,
) (out []kmsg.AddPartitionsToTxnResponseTransactionTopic) {
	n := 0
	for i := range t.Topics {
		r := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
		r.Topic = t.Topics[i].Topic
		for _, p := range t.Topics[i].Partitions {
			r.Partitions = append(r.Partitions,
				kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{
					Partition: p, ErrorCode: answer(n, txn.Partition{Topic: r.Topic, Partition: p}),
				})
			n++
		}
		out = append(out, r)
	}
	return out
}
