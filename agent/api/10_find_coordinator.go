package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
)

// The kinds of coordinators that a request asks for (KIP-98). Share groups (KIP-932) are kind 2, which
// is refused as by a broker without them.
const (
	groupCoordinator = 0
	txnCoordinator   = 1
)

// batchedFindSince is the first version that asks for many keys at once (KIP-699).
const batchedFindSince = 4

// findCoordinator answers FindCoordinator (key 10): the agent that leads the internal topic's partition
// of a group or a transactional id. The internal topic is created when it is first asked for, as in
// Kafka.
func (h *Handler) findCoordinator(
	ctx context.Context, version int16, req *kmsg.FindCoordinatorRequest,
) *kmsg.FindCoordinatorResponse {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	resp := kmsg.NewPtrFindCoordinatorResponse()
	if version < batchedFindSince {
		at, f := h.coordinatorOf(ctx, req.CoordinatorType, req.CoordinatorKey)
		resp.ErrorCode, resp.ErrorMessage = f.code, f.text()
		resp.NodeID, resp.Host, resp.Port = at.ID, at.Host, at.Port
		return resp
	}
	for _, key := range req.CoordinatorKeys {
		at, f := h.coordinatorOf(ctx, req.CoordinatorType, key)
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Host, c.Port = key, at.ID, at.Host, at.Port
		c.ErrorCode, c.ErrorMessage = f.code, f.text()
		resp.Coordinators = append(resp.Coordinators, c)
	}
	return resp
}

// coordinatorOf finds the agent that coordinates a key. Without one the agent has id and port -1.
func (h *Handler) coordinatorOf(ctx context.Context, kind int8, key string) (Agent, fault) {
	nobody := Agent{ID: -1, Port: -1}
	var name string
	switch kind {
	case groupCoordinator:
		name = coordinator.OffsetsTopic
	case txnCoordinator:
		name = coordinator.TransactionsTopic
	default:
		return nobody, fault{codeInvalidRequest, fmt.Sprintf("coordinator type %d is not known", kind)}
	}
	if kind == txnCoordinator && key == "" {
		return nobody, fault{codeInvalidRequest, "a transactional id must not be empty"}
	}
	t, err := h.internalTopic(ctx, name)
	if err != nil {
		h.log.Warn("internal topic not created", "topic", name, "err", err)
		return nobody, fault{codeOf(coordinator.ErrNotAvailable), ""}
	}
	leader := t.Partitions[coordinator.PartitionFor(key, int32(len(t.Partitions)))].Leader
	for _, a := range h.backend.Agents() {
		if a.ID == leader && !a.Fenced {
			return a, fault{}
		}
	}
	return nobody, fault{codeOf(coordinator.ErrNotAvailable), ""}
}

// internalTopic finds an internal topic, or creates it.
func (h *Handler) internalTopic(ctx context.Context, name string) (*Topic, error) {
	if t, ok := h.backend.Topic(name); ok {
		return t, nil
	}
	r := h.backend.CreateTopics(ctx, []NewTopic{h.autoTopic(name)}, false)[0]
	if errors.Is(r.Err, ErrTopicExists) { // someone else was first
		if t, ok := h.backend.Topic(name); ok {
			return t, nil
		}
	}
	return r.Topic, r.Err
}
