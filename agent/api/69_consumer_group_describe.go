package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
)

// memberConsumer and memberClassic say which protocol a member of a consumer group speaks.
const (
	memberClassic  int8 = 0
	memberConsumer int8 = 1
)

// consumerGroupDescribe answers ConsumerGroupDescribe (key 69), for groups of the consumer protocol.
func (h *Handler) consumerGroupDescribe(
	ctx context.Context, _ int16, req *kmsg.ConsumerGroupDescribeRequest,
) *kmsg.ConsumerGroupDescribeResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	resp := kmsg.NewPtrConsumerGroupDescribeResponse()
	for _, id := range req.Groups {
		resp.Groups = append(resp.Groups, h.describeConsumers(ctx, id, req.IncludeAuthorizedOperations))
	}
	return resp
}

func (h *Handler) describeConsumers(
	ctx context.Context, id string, ops bool,
) kmsg.ConsumerGroupDescribeResponseGroup {
	out := kmsg.NewConsumerGroupDescribeResponseGroup()
	out.Group = id
	d, err := group.ConsumerDescribed{}, group.ErrInvalidGroupID
	if id != "" {
		d, err = h.backend.DescribeConsumerGroup(ctx, id)
	}
	switch {
	case errors.Is(err, group.ErrGroupIDNotFound):
		f := notDescribed(err, id, "consumer")
		out.ErrorCode, out.ErrorMessage = f.code, f.text()
		return out
	case err != nil:
		out.ErrorCode = groupCode(err)
		return out
	}
	out.State, out.AssignorName = d.State, d.Assignor
	out.Epoch, out.AssignmentEpoch = d.Epoch, d.AssignmentEpoch
	if ops {
		out.AuthorizedOperations = groupOps
	}
	for _, m := range d.Members {
		w := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		w.MemberID, w.InstanceID, w.RackID, w.MemberEpoch = m.MemberID, m.InstanceID, m.Rack, m.Epoch
		w.ClientID, w.ClientHost, w.SubscribedTopics = m.Client.ID, m.Client.Host, m.Topics
		w.SubscribedTopicRegex, w.MemberType = &m.Regex, memberConsumer
		if m.Classic {
			w.MemberType = memberClassic
		}
		w.Assignment.TopicPartitions = assignedOf(m.Assigned)
		w.TargetAssignment.TopicPartitions = assignedOf(m.Target)
		out.Members = append(out.Members, w)
	}
	return out
}

func assignedOf(topics []group.AssignedTopic) []kmsg.AssignmentTopicPartition {
	var out []kmsg.AssignmentTopicPartition
	for _, t := range topics {
		out = append(out, kmsg.AssignmentTopicPartition{
			TopicID: t.ID, Topic: t.Name, Partitions: t.Partitions,
		})
	}
	return out
}
