package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka/settings"
)

// describeTopicPartitions answers DescribeTopicPartitions (key 75, KIP-966): topics by name in the
// order of names from the cursor on, and at most as many partitions as the request and
// max.request.partition.size.limit allow. The next cursor says where to go on.
func (h *Handler) describeTopicPartitions(
	_ context.Context, _ int16, req *kmsg.DescribeTopicPartitionsRequest,
) *kmsg.DescribeTopicPartitionsResponse {
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	names, ok := h.describedNames(req)
	if !ok {
		for i := range req.Topics {
			out := kmsg.NewDescribeTopicPartitionsResponseTopic()
			out.Topic, out.ErrorCode = &req.Topics[i].Topic, codeInvalidRequest
			resp.Topics = append(resp.Topics, out)
		}
		return resp
	}
	left := max(1, min(int(req.ResponsePartitionLimit), h.backend.AgentSettings().PartitionsPerRequest))
	all := len(req.Topics) == 0
	for _, name := range names {
		if left == 0 {
			resp.NextCursor = cursorAt(name, 0)
			return resp
		}
		from := 0
		if req.Cursor != nil && req.Cursor.Topic == name {
			from = int(req.Cursor.Partition)
		}
		t, found := h.backend.Topic(name)
		switch {
		case found:
			out, next := describePartitions(t, from, left)
			resp.Topics = append(resp.Topics, out)
			if next > 0 {
				resp.NextCursor = cursorAt(name, next)
				return resp
			}
			left -= len(out.Partitions)
		case !all:
			resp.Topics = append(resp.Topics, undescribed(name))
		}
	}
	return resp
}

// describedNames lists the topics asked for from the cursor on, in order. It is false for a cursor
// that names a topic which was not asked for, or a negative partition.
func (h *Handler) describedNames(req *kmsg.DescribeTopicPartitionsRequest) ([]string, bool) {
	var names []string
	from := ""
	if req.Cursor != nil {
		from = req.Cursor.Topic
	}
	add := func(name string) {
		if name >= from {
			names = append(names, name)
		}
	}
	if len(req.Topics) == 0 {
		for _, t := range h.backend.AllTopics() {
			add(t.Name)
		}
	}
	for i := range req.Topics {
		add(req.Topics[i].Topic)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if req.Cursor == nil {
		return names, true
	}
	known := len(req.Topics) == 0 || (len(names) > 0 && names[0] == from)
	return names, known && req.Cursor.Partition >= 0
}

func cursorAt(topic string, partition int) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, int32(partition)
	return &c
}

// undescribed answers for a topic that is not there.
func undescribed(name string) kmsg.DescribeTopicPartitionsResponseTopic {
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.ErrorCode, out.AuthorizedOperations = &name, codeUnknownTopic, topicOps
	if settings.ValidTopicName(name) != "" {
		out.ErrorCode = codeInvalidTopic
	}
	return out
}

// describePartitions describes at most count of a topic's partitions; next is the first that is
// left, or 0.
func describePartitions(
	t *Topic, from, count int,
) (out kmsg.DescribeTopicPartitionsResponseTopic, next int) {
	out = kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = &t.Name, t.ID, t.Internal
	out.AuthorizedOperations = topicOps
	till := min(len(t.Partitions), from+count)
	for i := from; i < till; i++ {
		s := &t.Partitions[i]
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition, p.LeaderID, p.LeaderEpoch = int32(i), s.Leader, int32(s.LeaderEpoch)
		p.Replicas, p.ISR, p.OfflineReplicas = s.Replicas, s.ISR, s.Offline
		p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
		out.Partitions = append(out.Partitions, p)
	}
	if till < len(t.Partitions) && till > 0 {
		return out, till
	}
	return out, 0
}
