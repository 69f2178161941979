package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeLogDirs answers DescribeLogDirs (key 35): the one directory of hot logs and what each
// partition takes there. Partitions that are asked for and are not here are left out, as in Kafka.
// A sealed segment that was released takes nothing.
func (h *Handler) describeLogDirs(
	_ context.Context, _ int16, req *kmsg.DescribeLogDirsRequest,
) *kmsg.DescribeLogDirsResponse {
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	dir := kmsg.NewDescribeLogDirsResponseDir()
	at, err := h.backend.LogDir()
	dir.ErrorCode, dir.Dir = codeOf(err), at.Path
	dir.TotalBytes, dir.UsableBytes = at.TotalBytes, at.UsableBytes
	if err == nil {
		dir.Topics = h.logsAsked(req)
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp
}

// logsAsked describes the logs of a request, each once; null asks for all.
func (h *Handler) logsAsked(
	req *kmsg.DescribeLogDirsRequest,
) (out []kmsg.DescribeLogDirsResponseDirTopic) {
	if req.Topics == nil {
		for _, t := range h.backend.AllTopics() {
			all := make([]int32, len(t.Partitions))
			for i := range all {
				all[i] = int32(i)
			}
			out = h.addLogs(out, t, all)
		}
		return out
	}
	asked := make(map[string][]int32)
	seen := make(map[topicIndex]bool)
	var order []string
	for i := range req.Topics {
		t := &req.Topics[i]
		for _, p := range t.Partitions {
			if key := (topicIndex{t.Topic, p}); !seen[key] {
				seen[key] = true
				if asked[t.Topic] == nil {
					order = append(order, t.Topic)
				}
				asked[t.Topic] = append(asked[t.Topic], p)
			}
		}
	}
	for _, name := range order {
		if t, ok := h.backend.Topic(name); ok {
			out = h.addLogs(out, t, asked[name])
		}
	}
	return out
}

// addLogs adds a topic unless none of the partitions is here.
func (h *Handler) addLogs(
	out []kmsg.DescribeLogDirsResponseDirTopic, t *Topic, partitions []int32,
) []kmsg.DescribeLogDirsResponseDirTopic {
	topic := kmsg.NewDescribeLogDirsResponseDirTopic()
	topic.Topic = t.Name
	for _, i := range partitions {
		if p, err := h.replica(t, i); err == nil {
			o := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			o.Partition, o.Size = i, p.LocalBytes()
			topic.Partitions = append(topic.Partitions, o)
		}
	}
	if len(topic.Partitions) == 0 {
		return out
	}
	return append(out, topic)
}
