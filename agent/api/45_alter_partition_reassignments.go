package api

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterPartitionReassignments answers AlterPartitionReassignments (key 45). A replica stays where it
// is: an assignment to where it is already is confirmed, any other is refused, and nothing is
// under way that could be cancelled.
func (h *Handler) alterPartitionReassignments(
	_ context.Context, _ int16, req *kmsg.AlterPartitionAssignmentsRequest,
) *kmsg.AlterPartitionAssignmentsResponse {
	resp := kmsg.NewPtrAlterPartitionAssignmentsResponse()
	resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	for i := range req.Topics {
		q := &req.Topics[i]
		out := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		out.Topic = q.Topic
		for _, p := range q.Partitions {
			f := h.reassign(q.Topic, p.Partition, p.Replicas)
			o := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			o.Partition, o.ErrorCode, o.ErrorMessage = p.Partition, f.code, f.text()
			out.Partitions = append(out.Partitions, o)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// reassign says why a partition's replicas cannot be those given (null: as they were before a
// reassignment). The words are Kafka's.
func (h *Handler) reassign(name string, partition int32, replicas []int32) fault {
	t, ok := h.backend.Topic(name)
	switch {
	case !ok:
		return fault{codeUnknownTopic, fmt.Sprintf("Unable to find a topic named %s.", name)}
	case partition < 0 || int(partition) >= len(t.Partitions):
		return fault{
			codeUnknownTopic, fmt.Sprintf("Unable to find partition %s:%d.", name, partition),
		}
	case replicas == nil:
		return fault{code: codeNoReassignment}
	}
	if f := h.checkReplicas(replicas); f.code != codeNone {
		return f
	}
	if !slices.Equal(replicas, t.Partitions[partition].Replicas) {
		return fault{codeAssignment, "replicas cannot be moved between agents yet"}
	}
	return fault{}
}
