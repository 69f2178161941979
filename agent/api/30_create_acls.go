package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// noAuthorizer is the answer to a change of ACLs.
var noAuthorizer = fault{codeNoAuthorizer, "No Authorizer is configured."}

// createACLs answers CreateAcls (key 30): each is refused.
func (h *Handler) createACLs(
	_ context.Context, _ int16, req *kmsg.CreateACLsRequest,
) *kmsg.CreateACLsResponse {
	resp := kmsg.NewPtrCreateACLsResponse()
	for range req.Creations {
		out := kmsg.NewCreateACLsResponseResult()
		out.ErrorCode, out.ErrorMessage = noAuthorizer.code, noAuthorizer.text()
		resp.Results = append(resp.Results, out)
	}
	return resp
}
