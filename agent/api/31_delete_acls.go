package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteACLs answers DeleteAcls (key 31): each filter is refused.
func (h *Handler) deleteACLs(
	_ context.Context, _ int16, req *kmsg.DeleteACLsRequest,
) *kmsg.DeleteACLsResponse {
	resp := kmsg.NewPtrDeleteACLsResponse()
	for range req.Filters {
		out := kmsg.NewDeleteACLsResponseResult()
		out.ErrorCode, out.ErrorMessage = noAuthorizer.code, noAuthorizer.text()
		resp.Results = append(resp.Results, out)
	}
	return resp
}
