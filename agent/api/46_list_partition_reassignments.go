package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// listPartitionReassignments answers ListPartitionReassignments (key 46): none is ever under way.
func (h *Handler) listPartitionReassignments(
	_ context.Context, _ int16, _ *kmsg.ListPartitionReassignmentsRequest,
) *kmsg.ListPartitionReassignmentsResponse {
	return kmsg.NewPtrListPartitionReassignmentsResponse()
}
