package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
)

// leaveManySince is the first version of LeaveGroup that names many members (KIP-345).
const leaveManySince = 3

// leaveGroup answers LeaveGroup (key 13).
func (h *Handler) leaveGroup(
	ctx context.Context, version int16, req *kmsg.LeaveGroupRequest,
) *kmsg.LeaveGroupResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	q := group.LeaveRequest{Group: req.Group}
	for i := range req.Members {
		m := &req.Members[i]
		q.Members = append(q.Members, group.Leaving{
			MemberID: m.MemberID, InstanceID: m.InstanceID, Reason: textOf(m.Reason),
		})
	}
	if version < leaveManySince {
		q.Members = []group.Leaving{{MemberID: req.MemberID}}
	}
	resp := kmsg.NewPtrLeaveGroupResponse()
	left, err := h.backend.LeaveGroup(ctx, q)
	if err != nil {
		resp.ErrorCode = groupCode(err)
		return resp
	}
	if version < leaveManySince {
		resp.ErrorCode = codeOf(left.Members[0].Err)
		return resp
	}
	for _, m := range left.Members {
		resp.Members = append(resp.Members, kmsg.LeaveGroupResponseMember{
			MemberID: m.MemberID, InstanceID: m.InstanceID, ErrorCode: codeOf(m.Err),
		})
	}
	return resp
}
