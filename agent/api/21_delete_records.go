package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

// deleteRecords answers DeleteRecords (key 21).
func (h *Handler) deleteRecords(
	ctx context.Context, _ int16, req *kmsg.DeleteRecordsRequest,
) *kmsg.DeleteRecordsResponse {
	ctx, cancel := h.waitFor(ctx, req.TimeoutMillis)
	defer cancel()
	resp := kmsg.NewPtrDeleteRecordsResponse()
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = t.Topic
		for j := range t.Partitions {
			q := &t.Partitions[j]
			a := kmsg.NewDeleteRecordsResponseTopicPartition()
			a.Partition, a.LowWatermark = q.Partition, -1
			low, err := h.deleteBefore(ctx, t.Topic, q.Partition, kafka.Offset(q.Offset))
			switch {
			case err == nil:
				a.LowWatermark = int64(low)
			case errors.Is(err, context.DeadlineExceeded):
				a.ErrorCode = codeTimedOut
			default:
				a.ErrorCode = codeOf(err)
			}
			out.Partitions = append(out.Partitions, a)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (h *Handler) deleteBefore(
	ctx context.Context, topic string, partition int32, before kafka.Offset,
) (kafka.Offset, error) {
	if t, ok := h.backend.Topic(topic); ok && t.Internal {
		return 0, ErrInvalidTopic
	}
	p, err := h.leading(topic, partition, -1)
	if err != nil {
		return 0, err
	}
	if before < kafka.NoOffset || before > p.Offsets().HighWatermark {
		return 0, ErrOffsetOutOfRange
	}
	return p.DeleteRecords(ctx, before)
}
