package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/agent/group/assignor"
)

// consumerGroupHeartbeat answers ConsumerGroupHeartbeat (key 68, KIP-848).
func (h *Handler) consumerGroupHeartbeat(
	ctx context.Context, r *broker.Request, req *kmsg.ConsumerGroupHeartbeatRequest,
) *kmsg.ConsumerGroupHeartbeatResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	q := group.ConsumerHeartbeatRequest{
		Version: r.Version, Group: req.Group, MemberID: req.MemberID, MemberEpoch: req.MemberEpoch,
		InstanceID: req.InstanceID, Rack: req.RackID, Client: clientOf(r),
		RebalanceTimeout: time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond,
		Topics:           req.SubscribedTopicNames, Regex: req.SubscribedTopicRegex,
		Assignor: req.ServerAssignor, Owned: ownedOf(req.Topics),
	}
	r.FreeBody()
	resp := kmsg.NewPtrConsumerGroupHeartbeatResponse()
	a, err := h.backend.ConsumerHeartbeat(ctx, q)
	if err != nil {
		f := fault{groupCode(err), err.Error()}
		resp.ErrorCode, resp.ErrorMessage = f.code, f.text()
		return resp
	}
	resp.MemberID, resp.MemberEpoch = &a.MemberID, a.MemberEpoch
	resp.HeartbeatIntervalMillis = int32(a.Interval.Milliseconds())
	if a.Assignment != nil {
		resp.Assignment = &kmsg.ConsumerGroupHeartbeatResponseAssignment{}
		for _, id := range a.Assignment.Topics() {
			resp.Assignment.Topics = append(resp.Assignment.Topics,
				kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{
					TopicID: id, Partitions: a.Assignment[id],
				})
		}
	}
	return resp
}

// ownedOf is what a member says it owns; nil: it does not say.
func ownedOf(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) assignor.Assignment {
	if topics == nil {
		return nil
	}
	owned := make(assignor.Assignment, len(topics))
	for _, t := range topics {
		if len(t.Partitions) > 0 {
			owned[t.TopicID] = append(owned[t.TopicID], t.Partitions...)
		}
	}
	return owned
}
