package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteGroups answers DeleteGroups (key 42). A group that is named twice is answered once.
func (h *Handler) deleteGroups(
	ctx context.Context, _ int16, req *kmsg.DeleteGroupsRequest,
) *kmsg.DeleteGroupsResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	seen := make(map[string]bool, len(req.Groups))
	ids := make([]string, 0, len(req.Groups))
	for _, id := range req.Groups {
		if !seen[id] {
			seen[id], ids = true, append(ids, id)
		}
	}
	resp := kmsg.NewPtrDeleteGroupsResponse()
	for i, err := range h.backend.DeleteGroups(ctx, ids) {
		g := kmsg.NewDeleteGroupsResponseGroup()
		g.Group, g.ErrorCode = ids[i], groupCode(err)
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
