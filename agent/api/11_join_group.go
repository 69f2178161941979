package api

import (
	"bytes"
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/agent/group"
)

// Versions of JoinGroup: the first that makes new members ask twice (KIP-394), that has a protocol type
// and nullable protocols, and whose leaders may be told not to assign (KIP-814).
const (
	joinTwiceSince    = 4
	joinTypeSince     = 7
	joinNoAssignSince = 9
)

// joinGroup answers JoinGroup (key 11). It waits for the generation, longest for the rebalance timeout
// of the group's members; the connection waits with it, as in Kafka.
func (h *Handler) joinGroup(
	ctx context.Context, r *broker.Request, req *kmsg.JoinGroupRequest,
) *kmsg.JoinGroupResponse {
	q := group.JoinRequest{
		Group: req.Group, MemberID: req.MemberID, InstanceID: req.InstanceID, Client: clientOf(r),
		SessionTimeout: millis(req.SessionTimeoutMillis), ProtocolType: req.ProtocolType,
		RebalanceTimeout: millis(req.RebalanceTimeoutMillis),
		RequireMemberID:  r.Version >= joinTwiceSince, SkipAssignment: r.Version >= joinNoAssignSince,
		Reason: textOf(req.Reason),
	}
	if r.Version == 0 {
		q.RebalanceTimeout = q.SessionTimeout
	}
	for i := range req.Protocols {
		q.Protocols = append(q.Protocols, group.Protocol{
			Name: req.Protocols[i].Name, Metadata: bytes.Clone(req.Protocols[i].Metadata),
		})
	}
	r.FreeBody()
	resp := kmsg.NewPtrJoinGroupResponse()
	joined, err := h.backend.JoinGroup(ctx, q)
	if err != nil {
		joinRefused(resp, req.MemberID, err)
	} else {
		joinedGroup(resp, &joined)
	}
	switch {
	case r.Version < joinTypeSince && resp.Protocol == nil:
		resp.Protocol = new(string)
	case r.Version >= joinTypeSince && textOf(resp.Protocol) == "":
		resp.Protocol = nil
	}
	return resp
}

func joinRefused(resp *kmsg.JoinGroupResponse, memberID string, err error) {
	resp.Generation, resp.MemberID, resp.ErrorCode = -1, memberID, groupCode(err)
	var required *group.MemberIDRequired
	if errors.As(err, &required) {
		resp.MemberID, resp.ErrorCode = required.MemberID, kerr.MemberIDRequired.Code
	}
}

func joinedGroup(resp *kmsg.JoinGroupResponse, j *group.JoinResponse) {
	resp.Generation, resp.ProtocolType, resp.Protocol = j.Generation, j.ProtocolType, j.ProtocolName
	resp.LeaderID, resp.SkipAssignment, resp.MemberID = j.Leader, j.SkipAssignment, j.MemberID
	for _, m := range j.Members {
		resp.Members = append(resp.Members, kmsg.JoinGroupResponseMember{
			MemberID: m.MemberID, InstanceID: m.InstanceID, ProtocolMetadata: m.Metadata,
		})
	}
}
