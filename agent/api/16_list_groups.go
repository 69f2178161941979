package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
)

// listGroups answers ListGroups (key 16): the groups that this agent coordinates.
func (h *Handler) listGroups(
	_ context.Context, _ int16, req *kmsg.ListGroupsRequest,
) *kmsg.ListGroupsResponse {
	resp := kmsg.NewPtrListGroupsResponse()
	listed, err := h.backend.ListGroups(group.ListRequest{
		States: req.StatesFilter, Types: req.TypesFilter,
	})
	if err != nil {
		resp.ErrorCode = groupCode(err)
		return resp
	}
	for _, l := range listed {
		g := kmsg.NewListGroupsResponseGroup()
		g.Group, g.ProtocolType = l.Group, l.ProtocolType
		g.GroupState, g.GroupType = l.State, string(l.Type)
		resp.Groups = append(resp.Groups, g)
	}
	return resp
}
