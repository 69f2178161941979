package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

// errTimestamp: a special timestamp that the request's version does not have.
var errTimestamp = errors.New("unknown special timestamp")

// readCommitted is the isolation level of that name.
const readCommitted = 1

// listOffsets answers ListOffsets (key 2).
func (h *Handler) listOffsets(
	ctx context.Context, version int16, req *kmsg.ListOffsetsRequest,
) *kmsg.ListOffsetsResponse {
	ctx, cancel := h.waitFor(ctx, req.TimeoutMillis)
	defer cancel()
	resp := kmsg.NewPtrListOffsetsResponse()
	seen := make(map[topicIndex]int)
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			seen[topicIndex{req.Topics[i].Topic, req.Topics[i].Partitions[j].Partition}]++
		}
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for j := range t.Partitions {
			q := offsetQuestion{version: version, committed: req.IsolationLevel == readCommitted}
			q.ListOffsetsRequestTopicPartition = t.Partitions[j]
			if seen[topicIndex{t.Topic, q.Partition}] > 1 {
				out.Partitions = append(out.Partitions, q.fail(codeInvalidRequest))
				continue
			}
			out.Partitions = append(out.Partitions, h.listOffset(ctx, t.Topic, q))
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// topicIndex names a partition by topic name.
type topicIndex struct {
	topic     string
	partition int32
}

// offsetQuestion is one partition of a request.
type offsetQuestion struct {
	kmsg.ListOffsetsRequestTopicPartition
	version   int16
	committed bool
}

func (q *offsetQuestion) fail(c code) kmsg.ListOffsetsResponseTopicPartition {
	out := kmsg.NewListOffsetsResponseTopicPartition()
	out.Partition, out.ErrorCode = q.Partition, c
	out.Offset, out.Timestamp, out.LeaderEpoch = -1, -1, -1
	return out
}

func (h *Handler) listOffset(
	ctx context.Context, topic string, q offsetQuestion,
) kmsg.ListOffsetsResponseTopicPartition {
	p, err := h.leading(topic, q.Partition, q.CurrentLeaderEpoch)
	var at OffsetAt
	if err == nil {
		at, err = q.answer(ctx, p)
	}
	switch {
	case errors.Is(err, errTimestamp):
		return q.fail(codeUnsupported)
	case errors.Is(err, context.DeadlineExceeded):
		return q.fail(codeTimedOut)
	case err != nil:
		return q.fail(codeOf(err))
	}
	out := q.fail(codeNone)
	out.Offset, out.Timestamp = int64(at.Offset), int64(at.Timestamp)
	out.LeaderEpoch = int32(at.LeaderEpoch)
	return out
}

// answer finds the offset.
func (q *offsetQuestion) answer(ctx context.Context, p Partition) (OffsetAt, error) {
	o := p.Offsets()
	bound := o.HighWatermark
	if q.committed {
		bound = o.LastStable
	}
	ts := kafka.Timestamp(q.Timestamp)
	switch {
	case ts == Latest:
		return OffsetAt{
			Offset: bound, Timestamp: kafka.NoTimestamp, LeaderEpoch: p.LeaderEpoch(),
		}, nil
	case ts < 0 && ts != Earliest && q.version < specialSince(ts):
		return OffsetAt{}, fmt.Errorf("%w: %d", errTimestamp, ts)
	}
	return p.ListOffset(ctx, ts, bound)
}

// specialSince is the first version that has a special timestamp.
func specialSince(ts kafka.Timestamp) int16 {
	switch ts {
	case MaxTimestamp:
		return 7
	case EarliestLocal:
		return 8
	case LatestTiered:
		return 9
	case EarliestPendingUpload:
		return 11
	}
	return 1 << 14
}
