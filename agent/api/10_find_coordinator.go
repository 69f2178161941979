package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// noCoordinator is the honest answer: there are no group or transaction coordinators yet.
// COORDINATOR_NOT_AVAILABLE would be retried for ever. UNSUPPORTED_VERSION is final for every known
// client, and where a client hides the sentence, as Java's consumer does, it words the code rightly.
var noCoordinator = fault{
	codeUnsupported,
	"this cluster has no group and no transaction coordinators yet: " +
		"assign partitions by hand and produce without a transactional id",
}

// findCoordinator answers FindCoordinator (key 10).
func (h *Handler) findCoordinator(
	_ context.Context, version int16, req *kmsg.FindCoordinatorRequest,
) *kmsg.FindCoordinatorResponse {
	resp := kmsg.NewPtrFindCoordinatorResponse()
	if version < 4 {
		resp.ErrorCode, resp.ErrorMessage = noCoordinator.code, noCoordinator.text()
		resp.NodeID, resp.Port = -1, -1
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Port = key, -1, -1
		c.ErrorCode, c.ErrorMessage = noCoordinator.code, noCoordinator.text()
		resp.Coordinators = append(resp.Coordinators, c)
	}
	return resp
}
