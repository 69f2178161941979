package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
)

// heartbeat answers Heartbeat (key 12). While the group is being loaded it is taken on trust, as in
// Kafka: the member's session begins anew when that is done.
func (h *Handler) heartbeat(
	ctx context.Context, _ int16, req *kmsg.HeartbeatRequest,
) *kmsg.HeartbeatResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	resp := kmsg.NewPtrHeartbeatResponse()
	err := h.backend.HeartbeatGroup(ctx, group.HeartbeatRequest{
		Group: req.Group, Generation: req.Generation, MemberID: req.MemberID, InstanceID: req.InstanceID,
	})
	if !errors.Is(err, coordinator.ErrLoading) {
		resp.ErrorCode = groupCode(err)
	}
	return resp
}
