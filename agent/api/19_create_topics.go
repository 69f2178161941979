package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka/settings"
)

// createTopics answers CreateTopics (key 19).
func (h *Handler) createTopics(
	ctx context.Context, _ int16, req *kmsg.CreateTopicsRequest,
) *kmsg.CreateTopicsResponse {
	resp := kmsg.NewPtrCreateTopicsResponse()
	times := make(map[string]int, len(req.Topics))
	partitions := int64(0)
	for i := range req.Topics {
		times[req.Topics[i].Topic]++
		partitions += int64(max(req.Topics[i].NumPartitions, 0))
	}
	tooMany := partitions > int64(h.backend.AgentSettings().TopicPartitionsMax)
	var create []NewTopic
	var at []int // index in resp.Topics of each in create
	for i := range req.Topics {
		t := &req.Topics[i]
		n := times[t.Topic]
		if n == 0 {
			continue // a duplicate, answered already
		}
		times[t.Topic] = 0
		topic, f := h.newTopic(t)
		switch {
		case n > 1:
			f = fault{codeInvalidRequest, "Duplicate topic name."}
		case f.code == codeNone && tooMany:
			f = fault{codePolicy, "Excessively large number of partitions per request."}
		}
		out := kmsg.NewCreateTopicsResponseTopic()
		out.Topic, out.ErrorCode, out.ErrorMessage = t.Topic, f.code, f.text()
		out.NumPartitions, out.ReplicationFactor = -1, -1
		out.Configs = []kmsg.CreateTopicsResponseTopicConfig{} // null is for who may not read them
		if f.code == codeNone {
			create, at = append(create, topic), append(at, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, out)
	}
	if len(create) == 0 {
		return resp
	}
	ctx, cancel := h.waitFor(ctx, req.TimeoutMillis)
	defer cancel()
	for i, r := range h.backend.CreateTopics(ctx, create, req.ValidateOnly) {
		h.created(&resp.Topics[at[i]], r)
	}
	return resp
}

// created fills in the answer for a topic that passed validation.
func (h *Handler) created(out *kmsg.CreateTopicsResponseTopic, r CreateResult) {
	f := adminFault(r.Err)
	if errors.Is(r.Err, ErrTopicExists) {
		f.message = fmt.Sprintf("Topic '%s' already exists.", out.Topic)
	}
	out.ErrorCode, out.ErrorMessage = f.code, f.text()
	if r.Err != nil {
		return
	}
	out.TopicID = r.Topic.ID
	out.NumPartitions = int32(len(r.Topic.Partitions))
	if len(r.Topic.Partitions) > 0 {
		out.ReplicationFactor = int16(len(r.Topic.Partitions[0].Replicas))
	}
	for _, v := range h.topicValues(r.Topic) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source = v.setting.Name, &v.value, int8(v.source)
		out.Configs = append(out.Configs, c)
	}
}

// newTopic validates one topic of a request and puts the defaults in. The sentences are Kafka's.
func (h *Handler) newTopic(t *kmsg.CreateTopicsRequestTopic) (NewTopic, fault) {
	topic := NewTopic{
		Name: t.Topic, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor,
	}
	if t.Topic == metadataTopic {
		return topic, fault{
			codeInvalidRequest, "Creation of internal topic " + metadataTopic + " is prohibited.",
		}
	}
	if reason := settings.ValidTopicName(t.Topic); reason != "" {
		return topic, fault{codeInvalidTopic, "Topic name is invalid: " + reason}
	}
	if _, ok := h.backend.Topic(t.Topic); ok {
		return topic, fault{codeExists, fmt.Sprintf("Topic '%s' already exists.", t.Topic)}
	}
	if other := h.colliding(t.Topic); other != "" {
		return topic, fault{codeInvalidTopic, fmt.Sprintf(
			"Topic '%s' collides with existing topic: %s", t.Topic, other)}
	}
	topic.Configs = make(map[string]string, len(t.Configs))
	var nulls []string
	for _, c := range t.Configs {
		if c.Value == nil {
			nulls = append(nulls, c.Name)
			continue
		}
		topic.Configs[c.Name] = *c.Value
	}
	if len(nulls) > 0 {
		return topic, fault{
			codeInvalidConfig,
			"Null value not supported for topic configs: " + strings.Join(nulls, ","),
		}
	}
	if f := h.checkTopicConfigs(topic.Configs); f.code != codeNone {
		return topic, f
	}
	if len(t.ReplicaAssignment) > 0 {
		return h.assigned(topic, t)
	}
	return h.counted(topic)
}

// metadataTopic is the name of Kafka's own metadata log, which no topic may have.
const metadataTopic = "__cluster_metadata"

// colliding finds a topic whose name differs in '.' and '_' only: metrics would mix them up.
func (h *Handler) colliding(name string) string {
	if !strings.ContainsAny(name, "._") {
		return ""
	}
	for _, t := range h.backend.AllTopics() {
		if collide(t.Name, name) {
			return t.Name
		}
	}
	return ""
}

// collide reports whether two names differ in '.' and '_' at most.
func collide(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x != '.' || y != '_') && (x != '_' || y != '.') {
			return false
		}
	}
	return true
}

// counted checks a topic that is placed by the agent.
func (h *Handler) counted(topic NewTopic) (NewTopic, fault) {
	s := h.backend.AgentSettings()
	if topic.Partitions == -1 {
		topic.Partitions = s.NumPartitions
	}
	if topic.ReplicationFactor == -1 {
		topic.ReplicationFactor = s.DefaultReplicationFactor
	}
	live := h.liveAgents()
	switch {
	case topic.ReplicationFactor <= 0:
		return topic, fault{
			codeReplication,
			"Replication factor must be larger than 0, or -1 to use the default value.",
		}
	case topic.Partitions <= 0:
		return topic, fault{
			codePartitions, "Number of partitions was set to an invalid non-positive value.",
		}
	case int(topic.ReplicationFactor) > len(live):
		return topic, fault{codeReplication, fmt.Sprintf(
			"Unable to replicate the partition %d time(s): The target replication factor of %d "+
				"cannot be reached because only %d broker(s) are registered or some brokers have "+
				"all their log directories cordoned.",
			topic.ReplicationFactor, topic.ReplicationFactor, len(live))}
	case topic.Partitions > s.TopicPartitionsMax:
		return topic, fault{codePolicy, "Excessively large number of partitions per request."}
	}
	return topic, fault{}
}

// assigned checks a topic with a manual assignment.
func (h *Handler) assigned(
	topic NewTopic, t *kmsg.CreateTopicsRequestTopic,
) (NewTopic, fault) {
	if topic.ReplicationFactor != -1 {
		return topic, fault{codeInvalidRequest, "A manual partition assignment was specified, " +
			"but replication factor was not set to -1."}
	}
	if topic.Partitions != -1 {
		return topic, fault{codeInvalidRequest, "A manual partition assignment was specified, " +
			"but numPartitions was not set to -1."}
	}
	n := len(t.ReplicaAssignment)
	if n > int(h.backend.AgentSettings().TopicPartitionsMax) {
		return topic, fault{codePolicy, "Excessively large number of partitions per request."}
	}
	topic.Assignments = make([][]int32, n)
	for _, a := range t.ReplicaAssignment {
		if a.Partition < 0 || int(a.Partition) >= n {
			return topic, fault{
				codeAssignment, "partitions should be a consecutive 0-based integer sequence",
			}
		}
		if topic.Assignments[a.Partition] != nil {
			return topic, fault{codeAssignment, fmt.Sprintf(
				"Found multiple manual partition assignments for partition %d", a.Partition)}
		}
		if f := h.checkReplicas(a.Replicas); f.code != codeNone {
			return topic, f
		}
		if len(a.Replicas) != len(t.ReplicaAssignment[0].Replicas) {
			return topic, fault{codeAssignment, "The manual partition assignment includes a " +
				"partition with a different number of replicas than the first."}
		}
		topic.Assignments[a.Partition] = a.Replicas
	}
	topic.Partitions = int32(n)
	topic.ReplicationFactor = int16(len(topic.Assignments[0]))
	return topic, fault{}
}

// checkReplicas checks one partition's manual assignment.
func (h *Handler) checkReplicas(replicas []int32) fault {
	if len(replicas) == 0 {
		return fault{
			codeAssignment, "The manual partition assignment includes an empty replica list.",
		}
	}
	live := h.liveAgents()
	seen := make(map[int32]bool, len(replicas))
	for _, id := range replicas {
		if !live[id] {
			return fault{codeAssignment, fmt.Sprintf("The manual partition assignment includes "+
				"broker %d, but no such broker is registered.", id)}
		}
		if seen[id] {
			return fault{codeAssignment, fmt.Sprintf(
				"The manual partition assignment includes the broker %d more than once.", id)}
		}
		seen[id] = true
	}
	return fault{}
}

// liveAgents are the ids that replicas may be placed on.
func (h *Handler) liveAgents() map[int32]bool {
	live := make(map[int32]bool)
	for _, a := range h.backend.Agents() {
		if !a.Fenced {
			live[a.ID] = true
		}
	}
	return live
}

// adminFault translates an error of a change, a time-out included.
func adminFault(err error) fault {
	if errors.Is(err, context.DeadlineExceeded) {
		return fault{codeTimedOut, "the change was not confirmed in time; it may still happen"}
	}
	return faultOf(err)
}
