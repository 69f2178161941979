package api

import (
	"strconv"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka/settings"
)

// internalSpec is how an internal topic is created, with the settings that Kafka gives it.
func (h *Handler) internalSpec(name string) (NewTopic, bool) {
	s := h.backend.AgentSettings()
	var topic settings.InternalTopic
	configs := map[string]string{"cleanup.policy": "compact"}
	switch name {
	case coordinator.OffsetsTopic:
		topic = s.OffsetsTopic
		configs["compression.type"] = "producer"
	case coordinator.TransactionsTopic:
		topic = s.TransactionTopic
		configs["compression.type"] = "uncompressed"
		configs["min.insync.replicas"] = strconv.Itoa(s.TransactionTopicMinISR)
		configs["unclean.leader.election.enable"] = "false"
	default:
		return NewTopic{}, false
	}
	configs["segment.bytes"] = strconv.FormatInt(topic.SegmentBytes, 10)
	return NewTopic{
		Name: name, Partitions: topic.Partitions, Configs: configs,
		ReplicationFactor: min(topic.ReplicationFactor, int16(max(len(h.liveAgents()), 1))),
	}, true
}
