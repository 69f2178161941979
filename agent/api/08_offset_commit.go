package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/kafka"
)

// commitByIDSince is the first version of OffsetCommit and OffsetFetch that names topics by id.
const commitByIDSince = 10

// offsetCommit answers OffsetCommit (key 8). What is committed for a topic or partition that is not
// there is refused here; the rest goes to the group.
func (h *Handler) offsetCommit(
	ctx context.Context, version int16, req *kmsg.OffsetCommitRequest,
) *kmsg.OffsetCommitResponse {
	q := group.CommitRequest{
		Group: req.Group, Generation: req.Generation, MemberID: req.MemberID,
		InstanceID: req.InstanceID, Version: version, Retention: -1,
	}
	if version <= 4 && req.RetentionTimeMillis >= 0 {
		q.Retention = time.Duration(req.RetentionTimeMillis) * time.Millisecond
	}
	resp := kmsg.NewPtrOffsetCommitResponse()
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, len(req.Topics))
	q.Topics = make([]group.TopicCommit, 0, len(req.Topics))
	places := make([]int, 0, len(req.Topics)) // where each of q.Topics is in the answer
	for i := range req.Topics {
		t, out := &req.Topics[i], &resp.Topics[i]
		topic, err := h.committable(version >= commitByIDSince, t.Topic, t.TopicID)
		out.Topic, out.TopicID = t.Topic, t.TopicID
		out.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, len(t.Partitions))
		c := group.TopicCommit{}
		if err == nil {
			c = group.TopicCommit{Topic: topic.Name, ID: topic.ID}
			c.Partitions = make([]group.PartitionCommit, 0, len(t.Partitions))
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			out.Partitions[j].Partition, out.Partitions[j].ErrorCode = p.Partition, codeOf(err)
			switch {
			case err != nil:
			case !topic.hasPartition(p.Partition):
				out.Partitions[j].ErrorCode = codeUnknownTopic
			default:
				c.Partitions = append(c.Partitions, group.PartitionCommit{
					Partition: p.Partition, Offset: kafka.Offset(p.Offset),
					LeaderEpoch: kafka.LeaderEpoch(p.LeaderEpoch), Metadata: textOf(p.Metadata),
				})
			}
		}
		if len(c.Partitions) > 0 {
			q.Topics, places = append(q.Topics, c), append(places, i)
		}
	}
	if len(q.Topics) == 0 {
		return resp
	}
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	done, err := h.backend.CommitOffsets(ctx, q)
	for k, i := range places {
		commitCodes(resp.Topics[i].Partitions, committedTopic(done, k), groupCode(err))
	}
	return resp
}

// committedTopic is what became of a topic; nil: the whole request failed.
func committedTopic(r group.CommitResponse, i int) *group.TopicCommit {
	if i < len(r.Topics) {
		return &r.Topics[i]
	}
	return nil
}

// commitCodes fills in what the group decided about the partitions that went to it, which are those
// without a code, in order.
func commitCodes(out []kmsg.OffsetCommitResponseTopicPartition, t *group.TopicCommit, c code) {
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
