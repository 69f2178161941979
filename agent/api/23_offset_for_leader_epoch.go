package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

// offsetForLeaderEpoch answers OffsetForLeaderEpoch (key 23).
func (h *Handler) offsetForLeaderEpoch(
	ctx context.Context, _ int16, req *kmsg.OffsetForLeaderEpochRequest,
) *kmsg.OffsetForLeaderEpochResponse {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	resp := kmsg.NewPtrOffsetForLeaderEpochResponse()
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for j := range t.Partitions {
			q := &t.Partitions[j]
			a := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			a.Partition, a.LeaderEpoch, a.EndOffset = q.Partition, -1, -1
			p, err := h.leading(t.Topic, q.Partition, q.CurrentLeaderEpoch)
			var end EpochEnd
			if err == nil {
				end, err = p.EpochEnd(ctx, kafka.LeaderEpoch(q.LeaderEpoch))
			}
			if a.ErrorCode = codeOf(err); err == nil {
				a.LeaderEpoch, a.EndOffset = int32(end.Epoch), int64(end.End)
			}
			out.Partitions = append(out.Partitions, a)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
