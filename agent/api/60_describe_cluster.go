package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokerEndpoints is the endpoint type of a question about brokers (KIP-919).
const brokerEndpoints = 1

// describeCluster answers DescribeCluster (key 60). There are no controllers apart from the
// agents, so a question about those is refused as Kafka's brokers do.
func (h *Handler) describeCluster(
	_ context.Context, version int16, req *kmsg.DescribeClusterRequest,
) *kmsg.DescribeClusterResponse {
	resp := kmsg.NewPtrDescribeClusterResponse()
	resp.ClusterAuthorizedOperations = opsNotAsked
	if version >= 1 && req.EndpointType != brokerEndpoints {
		f := fault{codeMismatchedEndpoint, "the agents answer for brokers only (endpoint type 1)"}
		resp.ErrorCode, resp.ErrorMessage = f.code, f.text()
		return resp
	}
	resp.ClusterID, resp.ControllerID = h.backend.ClusterID(), h.backend.ControllerID()
	if req.IncludeClusterAuthorizedOperations {
		resp.ClusterAuthorizedOperations = clusterOps
	}
	for _, a := range h.backend.Agents() {
		if a.Fenced && !(version >= 2 && req.IncludeFencedBrokers) {
			continue
		}
		b := kmsg.NewDescribeClusterResponseBroker()
		b.NodeID, b.Host, b.Port, b.Rack, b.IsFenced = a.ID, a.Host, a.Port, rackOf(a), a.Fenced
		resp.Brokers = append(resp.Brokers, b)
	}
	return resp
}
