package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
)

// offsetDelete answers OffsetDelete (key 47).
func (h *Handler) offsetDelete(
	ctx context.Context, _ int16, req *kmsg.OffsetDeleteRequest,
) *kmsg.OffsetDeleteResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	resp := kmsg.NewPtrOffsetDeleteResponse()
	q := group.DeleteOffsetsRequest{Group: req.Group}
	places := make([]int, 0, len(req.Topics)) // where each of q.Topics is in the answer
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewOffsetDeleteResponseTopic()
		out.Topic = t.Topic
		topic, known := h.backend.Topic(t.Topic)
		f := group.TopicFetch{Topic: t.Topic}
		for _, p := range t.Partitions {
			r := kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition}
			if !known || !topic.hasPartition(p.Partition) {
				r.ErrorCode = codeUnknownTopic
			} else {
				f.Partitions = append(f.Partitions, p.Partition)
			}
			out.Partitions = append(out.Partitions, r)
		}
		if len(f.Partitions) > 0 {
			q.Topics, places = append(q.Topics, f), append(places, i)
		}
		resp.Topics = append(resp.Topics, out)
	}
	done, err := h.backend.DeleteOffsets(ctx, q)
	if err != nil {
		resp.ErrorCode, resp.Topics = groupCode(err), nil
		return resp
	}
	for k, i := range places {
		for j := range resp.Topics[i].Partitions {
			if p := &resp.Topics[i].Partitions[j]; p.ErrorCode == codeNone {
				p.ErrorCode = codeOf(done.Errs[k])
			}
		}
	}
	return resp
}
