package api

import (
	"bytes"
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/agent/group"
)

// syncTypeSince is the first version of SyncGroup that has to name the protocol (KIP-559).
const syncTypeSince = 5

// syncGroup answers SyncGroup (key 14). It waits for the leader's assignment, longest for the rebalance
// timeout of the group's members.
func (h *Handler) syncGroup(
	ctx context.Context, r *broker.Request, req *kmsg.SyncGroupRequest,
) *kmsg.SyncGroupResponse {
	resp := kmsg.NewPtrSyncGroupResponse()
	if r.Version >= syncTypeSince && (req.ProtocolType == nil || req.Protocol == nil) {
		resp.ErrorCode = codeOf(group.ErrInconsistentProtocol)
		return resp
	}
	q := group.SyncRequest{
		Group: req.Group, Generation: req.Generation, MemberID: req.MemberID,
		InstanceID: req.InstanceID, ProtocolType: req.ProtocolType, ProtocolName: req.Protocol,
		Assignments: make(map[string][]byte, len(req.GroupAssignment)),
	}
	for i := range req.GroupAssignment {
		a := &req.GroupAssignment[i]
		q.Assignments[a.MemberID] = bytes.Clone(a.MemberAssignment)
	}
	r.FreeBody()
	got, err := h.backend.SyncGroup(ctx, q)
	if err != nil {
		resp.ErrorCode = groupCode(err)
		return resp
	}
	resp.ProtocolType, resp.Protocol = got.ProtocolType, got.ProtocolName
	resp.MemberAssignment = got.Assignment
	return resp
}
