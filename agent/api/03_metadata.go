package api

import (
	"context"
	"errors"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

const (
	// opsNotAsked is the authorized-operations field of who did not ask.
	opsNotAsked int32 = math.MinInt32
	// topicOps and clusterOps are all operations on a topic (READ, WRITE, CREATE, DELETE, ALTER,
	// DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS) and on the cluster, as Kafka answers without an
	// authorizer.
	topicOps   int32 = 3576
	clusterOps int32 = 8096
	// autoCreateMax bounds the topics that one request creates by asking for them.
	autoCreateMax = 1000
)

// metadata answers Metadata (key 3).
func (h *Handler) metadata(
	ctx context.Context, version int16, req *kmsg.MetadataRequest,
) *kmsg.MetadataResponse {
	resp := kmsg.NewPtrMetadataResponse()
	id := h.backend.ClusterID()
	resp.ClusterID, resp.ControllerID = &id, h.backend.ControllerID()
	for _, a := range h.backend.Agents() {
		if a.Fenced {
			continue
		}
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port, b.Rack = a.ID, a.Host, a.Port, rackOf(a)
		resp.Brokers = append(resp.Brokers, b)
	}
	resp.AuthorizedOperations = opsNotAsked
	if version >= 8 && version <= 10 && req.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = clusterOps
	}
	ops := opsNotAsked
	if req.IncludeTopicAuthorizedOperations {
		ops = topicOps
	}
	if req.Topics == nil || (version == 0 && len(req.Topics) == 0) {
		for _, t := range h.backend.AllTopics() {
			resp.Topics = append(resp.Topics, topicMetadata(t, ops))
		}
		return resp
	}
	create := (version < 4 || req.AllowAutoTopicCreation) && h.backend.AgentSettings().AutoCreateTopics
	resp.Topics = h.askedTopics(ctx, version, req.Topics, create)
	for i := range resp.Topics {
		if resp.Topics[i].ErrorCode == codeNone {
			resp.Topics[i].AuthorizedOperations = ops
		}
	}
	return resp
}

// askedTopics answers for topics by name or id, each once, creating missing ones if create is set.
func (h *Handler) askedTopics(
	ctx context.Context, version int16, asked []kmsg.MetadataRequestTopic, create bool,
) []kmsg.MetadataResponseTopic {
	out := make([]kmsg.MetadataResponseTopic, 0, min(len(asked), 1024))
	seen := make(map[string]bool)
	var missing []NewTopic
	for i := range asked {
		a := &asked[i]
		t, key := h.findAsked(version, a)
		if seen[key] {
			continue
		}
		seen[key] = true
		if t.ErrorCode == codeUnknownTopic && create && len(missing) < autoCreateMax {
			missing = append(missing, h.autoTopic(*a.Topic))
		}
		out = append(out, t)
	}
	if len(missing) > 0 {
		h.autoCreate(ctx, missing, out)
	}
	return out
}

// findAsked answers for one topic; key tells apart what was asked for.
func (h *Handler) findAsked(
	version int16, a *kmsg.MetadataRequestTopic,
) (out kmsg.MetadataResponseTopic, key string) {
	id := kafka.TopicID(a.TopicID)
	if version >= 12 && !id.IsZero() {
		if t, ok := h.backend.TopicByID(id); ok {
			return topicMetadata(t, opsNotAsked), "id " + string(id[:])
		}
		out = missingTopic(a.Topic, codeUnknownTopicID)
		out.TopicID = a.TopicID
		return out, "id " + string(id[:])
	}
	if a.Topic == nil {
		out = missingTopic(nil, codeInvalidRequest)
		if version < 12 {
			empty := ""
			out.Topic = &empty
		}
		return out, "null"
	}
	if t, ok := h.backend.Topic(*a.Topic); ok {
		return topicMetadata(t, opsNotAsked), *a.Topic
	}
	if settings.ValidTopicName(*a.Topic) != "" {
		return missingTopic(a.Topic, codeInvalidTopic), *a.Topic
	}
	return missingTopic(a.Topic, codeUnknownTopic), *a.Topic
}

// autoTopic is a topic as auto-creation makes it.
func (h *Handler) autoTopic(name string) NewTopic {
	if t, ok := h.internalSpec(name); ok {
		return t
	}
	s := h.backend.AgentSettings()
	return NewTopic{
		Name: name, Partitions: s.NumPartitions, ReplicationFactor: s.DefaultReplicationFactor,
	}
}

// autoCreate creates topics and replaces their answers in out.
func (h *Handler) autoCreate(
	ctx context.Context, missing []NewTopic, out []kmsg.MetadataResponseTopic,
) {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	answers := make(map[string]kmsg.MetadataResponseTopic, len(missing))
	for i, r := range h.backend.CreateTopics(ctx, missing, false) {
		name := missing[i].Name
		switch {
		case r.Err == nil:
			answers[name] = topicMetadata(r.Topic, opsNotAsked)
		case errors.Is(r.Err, ErrTopicExists):
			if t, ok := h.backend.Topic(name); ok {
				answers[name] = topicMetadata(t, opsNotAsked)
			} else { // its name collides with another's
				answers[name] = missingTopic(&name, codeInvalidTopic)
			}
		default:
			h.log.Warn("topic was not auto-created", "topic", name, "err", r.Err)
			answers[name] = missingTopic(&name, autoCreateCode(r.Err))
		}
	}
	for i := range out {
		if out[i].ErrorCode == codeUnknownTopic && out[i].Topic != nil {
			if a, ok := answers[*out[i].Topic]; ok {
				out[i] = a
			}
		}
	}
}

// autoCreateCode is what a client is told that did not ask for a creation: to try again, unless the
// settings of the cluster make it impossible.
func autoCreateCode(err error) code {
	switch c := codeOf(err); c {
	case codeReplication, codePolicy, codeInvalidTopic, codePartitions:
		return c
	}
	return codeOf(ErrLeaderNotAvailable)
}

func missingTopic(name *string, c code) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.ErrorCode, t.AuthorizedOperations = name, c, opsNotAsked
	return t
}

func topicMetadata(t *Topic, ops int32) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.IsInternal, out.AuthorizedOperations = &t.Name, t.ID, t.Internal, ops
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i := range t.Partitions {
		s, p := &t.Partitions[i], &out.Partitions[i]
		p.Default()
		p.Partition, p.Leader, p.LeaderEpoch = int32(i), s.Leader, int32(s.LeaderEpoch)
		p.Replicas, p.ISR, p.OfflineReplicas = s.Replicas, s.ISR, s.Offline
		if s.Leader < 0 {
			p.ErrorCode = codeOf(ErrLeaderNotAvailable)
		}
	}
	return out
}

// rackOf is an agent's rack as the wire has it.
func rackOf(a Agent) *string {
	if a.Rack == "" {
		return nil
	}
	return &a.Rack
}
