package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeACLs answers DescribeAcls (key 29) as Kafka does without an authorizer: there are no ACLs
// to tell of, and everyone may do everything.
func (h *Handler) describeACLs(
	_ context.Context, _ int16, _ *kmsg.DescribeACLsRequest,
) *kmsg.DescribeACLsResponse {
	resp := kmsg.NewPtrDescribeACLsResponse()
	f := fault{codeNoAuthorizer, "No Authorizer is configured on the broker"}
	resp.ErrorCode, resp.ErrorMessage = f.code, f.text()
	return resp
}
