package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

// deleteTopics answers DeleteTopics (key 20), by name and from version 6 on by id too.
func (h *Handler) deleteTopics(
	ctx context.Context, version int16, req *kmsg.DeleteTopicsRequest,
) *kmsg.DeleteTopicsResponse {
	resp := kmsg.NewPtrDeleteTopicsResponse()
	asked := req.Topics
	if version < 6 {
		asked = make([]kmsg.DeleteTopicsRequestTopic, len(req.TopicNames))
		for i := range req.TopicNames {
			asked[i].Topic = &req.TopicNames[i]
		}
	}
	times := make(map[string]int, len(asked))
	for i := range asked {
		times[deletionKey(&asked[i])]++
	}
	var ids []kafka.TopicID
	var at []int // index in resp.Topics of each in ids
	for i := range asked {
		key := deletionKey(&asked[i])
		n := times[key]
		if n == 0 {
			continue // a duplicate, answered already
		}
		times[key] = 0
		t, f := h.toDelete(version, &asked[i], n)
		out := kmsg.NewDeleteTopicsResponseTopic()
		out.Topic, out.TopicID = asked[i].Topic, asked[i].TopicID
		out.ErrorCode, out.ErrorMessage = f.code, f.text()
		if f.code == codeNone {
			out.Topic, out.TopicID = &t.Name, t.ID
			ids, at = append(ids, t.ID), append(at, len(resp.Topics))
		}
		resp.Topics = append(resp.Topics, out)
	}
	if len(ids) == 0 {
		return resp
	}
	ctx, cancel := h.waitFor(ctx, req.TimeoutMillis)
	defer cancel()
	for i, err := range h.backend.DeleteTopics(ctx, ids) {
		f := adminFault(err)
		resp.Topics[at[i]].ErrorCode, resp.Topics[at[i]].ErrorMessage = f.code, f.text()
	}
	return resp
}

// deletionKey tells apart what was asked for.
func deletionKey(t *kmsg.DeleteTopicsRequestTopic) string {
	if t.Topic != nil {
		return "name " + *t.Topic
	}
	return "id " + string(t.TopicID[:])
}

// toDelete finds a topic that is to be deleted, asked for n times.
func (h *Handler) toDelete(
	version int16, a *kmsg.DeleteTopicsRequestTopic, n int,
) (*Topic, fault) {
	id := kafka.TopicID(a.TopicID)
	switch {
	case !h.backend.AgentSettings().DeleteTopicEnable && version < 3:
		return nil, fault{codeInvalidRequest, "This version does not support topic deletion."}
	case !h.backend.AgentSettings().DeleteTopicEnable:
		return nil, fault{codeDeletionOff, "Topic deletion is disabled."}
	case a.Topic != nil && !id.IsZero():
		return nil, fault{codeInvalidRequest, "You may not specify both topic name and topic id."}
	case a.Topic == nil && id.IsZero():
		return nil, fault{codeInvalidRequest, "Neither topic name nor id were specified."}
	case n > 1 && a.Topic != nil:
		return nil, fault{codeInvalidRequest, "Duplicate topic name."}
	case n > 1:
		return nil, fault{codeInvalidRequest, "Duplicate topic id."}
	}
	var t *Topic
	var ok bool
	missing := fault{codeUnknownTopic, "This server does not host this topic-partition."}
	if a.Topic != nil {
		t, ok = h.backend.Topic(*a.Topic)
	} else {
		t, ok = h.backend.TopicByID(id)
		missing = fault{codeUnknownTopicID, "This server does not host this topic ID."}
	}
	if !ok {
		return nil, missing
	}
	return t, fault{}
}
