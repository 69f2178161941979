package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// createPartitions answers CreatePartitions (key 37).
func (h *Handler) createPartitions(
	ctx context.Context, _ int16, req *kmsg.CreatePartitionsRequest,
) *kmsg.CreatePartitionsResponse {
	resp := kmsg.NewPtrCreatePartitionsResponse()
	times := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		times[req.Topics[i].Topic]++
	}
	var changes []NewPartitions
	var at []int // index in resp.Topics of each in changes
	for i := range req.Topics {
		t := &req.Topics[i]
		n := times[t.Topic]
		if n == 0 {
			continue // a duplicate, answered already
		}
		times[t.Topic] = 0
		change, f := h.newPartitions(t)
		if n > 1 {
			f = fault{codeInvalidRequest, "Duplicate topic name."}
		}
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic, out.ErrorCode, out.ErrorMessage = t.Topic, f.code, f.text()
		if f.code == codeNone {
			changes, at = append(changes, change), append(at, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, out)
	}
	if len(changes) == 0 {
		return resp
	}
	ctx, cancel := h.waitFor(ctx, req.TimeoutMillis)
	defer cancel()
	for i, err := range h.backend.CreatePartitions(ctx, changes, req.ValidateOnly) {
		f := adminFault(err)
		resp.Topics[at[i]].ErrorCode, resp.Topics[at[i]].ErrorMessage = f.code, f.text()
	}
	return resp
}

// newPartitions validates one topic of a request. The sentences are Kafka's.
func (h *Handler) newPartitions(t *kmsg.CreatePartitionsRequestTopic) (NewPartitions, fault) {
	topic, ok := h.backend.Topic(t.Topic)
	if !ok {
		return NewPartitions{}, fault{codeUnknownTopic, ""}
	}
	change := NewPartitions{Topic: topic.ID, Count: t.Count}
	have := int32(len(topic.Partitions))
	switch {
	case t.Count == have:
		return change, fault{
			codePartitions, fmt.Sprintf("Topic already has %d partition(s).", have),
		}
	case t.Count < have:
		return change, fault{codePartitions, fmt.Sprintf(
			"The topic %s currently has %d partition(s); %d would not be an increase.",
			t.Topic, have, t.Count)}
	case t.Count > h.backend.AgentSettings().TopicPartitionsMax:
		return change, fault{codePolicy, "Excessively large number of partitions per request."}
	}
	if t.Assignment == nil {
		return change, fault{}
	}
	if len(t.Assignment) != int(t.Count-have) {
		return change, fault{codeAssignment, fmt.Sprintf("Attempted to add %d additional "+
			"partition(s), but only %d assignment(s) were specified.",
			t.Count-have, len(t.Assignment))}
	}
	for i := range t.Assignment {
		if f := h.checkReplicas(t.Assignment[i].Replicas); f.code != codeNone {
			return change, f
		}
		change.Assignments = append(change.Assignments, t.Assignment[i].Replicas)
	}
	return change, fault{}
}
