package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterReplicaLogDirs answers AlterReplicaLogDirs (key 34): there is one directory, so that a move to
// it is done already and there is no other.
func (h *Handler) alterReplicaLogDirs(
	_ context.Context, _ int16, req *kmsg.AlterReplicaLogDirsRequest,
) *kmsg.AlterReplicaLogDirsResponse {
	resp := kmsg.NewPtrAlterReplicaLogDirsResponse()
	at := make(map[string]int) // index in resp.Topics by name
	dir, err := h.backend.LogDir()
	for i := range req.Dirs {
		for _, t := range req.Dirs[i].Topics {
			j, ok := at[t.Topic]
			if !ok {
				j = len(resp.Topics)
				at[t.Topic] = j
				out := kmsg.NewAlterReplicaLogDirsResponseTopic()
				out.Topic = t.Topic
				resp.Topics = append(resp.Topics, out)
			}
			for _, p := range t.Partitions {
				o := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				o.Partition = p
				switch {
				case err != nil:
					o.ErrorCode = codeOf(err)
				case req.Dirs[i].Dir != dir.Path:
					o.ErrorCode = codeNoLogDir
				default:
					if _, err := h.leading(t.Topic, p, -1); err != nil {
						o.ErrorCode = codeNoReplica
					}
				}
				resp.Topics[j].Partitions = append(resp.Topics[j].Partitions, o)
			}
		}
	}
	return resp
}
