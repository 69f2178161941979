package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/kafka"
)

// txnOffsetCommit answers TxnOffsetCommit (key 28). Its groups are checked as OffsetCommit's.
func (h *Handler) txnOffsetCommit(
	ctx context.Context, version int16, req *kmsg.TxnOffsetCommitRequest,
) *kmsg.TxnOffsetCommitResponse {
	q := group.CommitRequest{
		Group: req.Group, Generation: req.Generation, MemberID: req.MemberID,
		InstanceID: req.InstanceID, Version: version, Retention: -1,
		Producer: &coordinator.Producer{ID: kafka.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch},
	}
	resp := kmsg.NewPtrTxnOffsetCommitResponse()
	places := make([]int, 0, len(req.Topics)) // where each of q.Topics is in the answer
	for i := range req.Topics {
		out, c := h.txnTopic(&req.Topics[i])
		resp.Topics = append(resp.Topics, out)
		if len(c.Partitions) > 0 {
			q.Topics, places = append(q.Topics, c), append(places, i)
		}
	}
	if len(q.Topics) == 0 {
		return resp
	}
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	done, err := h.backend.CommitTransactionOffsets(ctx, req.TransactionalID, q)
	c := groupCode(err)
	if version < 2 && c == kerr.CoordinatorLoadInProgress.Code {
		c = kerr.CoordinatorNotAvailable.Code // which older producers retry
	}
	for k, i := range places {
		txnCommitCodes(resp.Topics[i].Partitions, committedTopic(done, k), c)
	}
	return resp
}

// txnTopic gives a topic's place in the answer, and what of it goes to the group.
func (h *Handler) txnTopic(
	t *kmsg.TxnOffsetCommitRequestTopic,
) (kmsg.TxnOffsetCommitResponseTopic, group.TopicCommit) {
	out := kmsg.NewTxnOffsetCommitResponseTopic()
	out.Topic = t.Topic
	out.Partitions = make([]kmsg.TxnOffsetCommitResponseTopicPartition, len(t.Partitions))
	topic, known := h.backend.Topic(t.Topic)
	c := group.TopicCommit{Topic: t.Topic}
	for j := range t.Partitions {
		p := &t.Partitions[j]
		out.Partitions[j].Partition = p.Partition
		if !known || !topic.hasPartition(p.Partition) {
			out.Partitions[j].ErrorCode = codeUnknownTopic
			continue
		}
		c.Partitions = append(c.Partitions, group.PartitionCommit{
			Partition: p.Partition, Offset: kafka.Offset(p.Offset),
			LeaderEpoch: kafka.LeaderEpoch(p.LeaderEpoch), Metadata: textOf(p.Metadata),
		})
	}
	return out, c
}

// txnCommitCodes is commitCodes for another type.
func txnCommitCodes(
	out []kmsg.TxnOffsetCommitResponseTopicPartition, t *group.TopicCommit, c code,
) {
	next := 0
	for j := range out {
		switch {
		case out[j].ErrorCode != codeNone:
		case t == nil:
			out[j].ErrorCode = c
		default:
			out[j].ErrorCode = codeOf(t.Partitions[next].Err)
			next++
		}
	}
}
