package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	electPreferred = 0
	electUnclean   = 1
)

// electLeaders answers ElectLeaders (key 43). A partition has one replica: where that leads there is
// nothing to elect, and where it does not there is no one else. An unknown kind of election is
// refused in Kafka's words.
func (h *Handler) electLeaders(
	_ context.Context, version int16, req *kmsg.ElectLeadersRequest,
) *kmsg.ElectLeadersResponse {
	resp := kmsg.NewPtrElectLeadersResponse()
	kind := req.ElectionType
	if version < 1 {
		kind = electPreferred
	}
	var refused fault
	if kind != electPreferred && kind != electUnclean && (req.Topics == nil || len(req.Topics) > 0) {
		refused = fault{codeInvalidRequest, fmt.Sprintf("Unknown election type %d", kind)}
		resp.ErrorCode = refused.code
	}
	if req.Topics == nil {
		if refused.code == codeNone {
			h.electAll(resp, kind)
		}
		return resp
	}
	for i := range req.Topics {
		q := &req.Topics[i]
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic = q.Topic
		for _, p := range q.Partitions {
			f := refused
			if f.code == codeNone {
				f = h.elect(q.Topic, p, kind)
			}
			o := kmsg.NewElectLeadersResponseTopicPartition()
			o.Partition, o.ErrorCode, o.ErrorMessage = p, f.code, f.text()
			out.Partitions = append(out.Partitions, o)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// electAll answers for every topic, and for the partitions that would need an election.
func (h *Handler) electAll(resp *kmsg.ElectLeadersResponse, kind int8) {
	for _, t := range h.backend.AllTopics() {
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic = t.Name
		for i := range t.Partitions {
			f := h.elect(t.Name, int32(i), kind)
			if f.code == codeElectionNotNeeded {
				continue
			}
			o := kmsg.NewElectLeadersResponseTopicPartition()
			o.Partition, o.ErrorCode, o.ErrorMessage = int32(i), f.code, f.text()
			out.Partitions = append(out.Partitions, o)
		}
		resp.Topics = append(resp.Topics, out)
	}
}

// elect says why no leader is elected for a partition.
func (h *Handler) elect(name string, partition int32, kind int8) fault {
	t, ok := h.backend.Topic(name)
	switch {
	case !ok:
		return fault{codeUnknownTopic, "No such topic as " + name}
	case partition < 0 || int(partition) >= len(t.Partitions):
		return fault{codeUnknownTopic, fmt.Sprintf("No such partition as %s-%d", name, partition)}
	}
	p := &t.Partitions[partition]
	preferred := len(p.Replicas) > 0 && p.Leader == p.Replicas[0]
	switch {
	case preferred || (kind == electUnclean && p.Leader >= 0):
		return fault{codeElectionNotNeeded, "Leader election not needed for topic partition."}
	case kind == electUnclean:
		return fault{codeNoEligibleLeader, "Eligible topic partition leaders are not available."}
	}
	return fault{codeNoPreferredLeader, "The preferred leader was not available."}
}
