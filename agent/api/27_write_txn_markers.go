package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

// markersAtOnce bounds the markers of one request that wait for their commit together.
const markersAtOnce = 64

// writeTxnMarkers answers WriteTxnMarkers (key 27), which another agent's transaction coordinator sends,
// or an operator who aborts a transaction that hangs.
func (h *Handler) writeTxnMarkers(
	ctx context.Context, _ int16, req *kmsg.WriteTxnMarkersRequest,
) *kmsg.WriteTxnMarkersResponse {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	resp := kmsg.NewPtrWriteTxnMarkersResponse()
	for i := range req.Markers {
		m := &req.Markers[i]
		r := h.writeMarkers(ctx, m)
		if at := markerOf(resp, m.ProducerID); at != nil {
			at.Topics = append(at.Topics, r.Topics...)
			continue
		}
		resp.Markers = append(resp.Markers, r)
	}
	return resp
}

// markerOf finds the answer to an earlier marker of a producer: an answer has one for each.
func markerOf(resp *kmsg.WriteTxnMarkersResponse, id int64) *kmsg.WriteTxnMarkersResponseMarker {
	for i := range resp.Markers {
		if resp.Markers[i].ProducerID == id {
			return &resp.Markers[i]
		}
	}
	return nil
}

// writeMarkers ends one producer's transaction in its partitions.
func (h *Handler) writeMarkers(
	ctx context.Context, m *kmsg.WriteTxnMarkersRequestMarker,
) kmsg.WriteTxnMarkersResponseMarker {
	marker := coordinator.Marker{
		Producer:         coordinator.Producer{ID: kafka.ProducerID(m.ProducerID), Epoch: m.ProducerEpoch},
		CoordinatorEpoch: m.CoordinatorEpoch, Commit: m.Committed, Version: int16(m.TransactionVersion),
	}
	r := kmsg.NewWriteTxnMarkersResponseMarker()
	r.ProducerID = m.ProducerID
	var group errgroup.Group
	group.SetLimit(markersAtOnce)
	for i := range m.Topics {
		t := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
		t.Topic = m.Topics[i].Topic
		t.Partitions = make([]kmsg.WriteTxnMarkersResponseMarkerTopicPartition, len(m.Topics[i].Partitions))
		seen := make(map[int32]bool, len(m.Topics[i].Partitions))
		for j, p := range m.Topics[i].Partitions {
			at := &t.Partitions[j]
			if at.Partition = p; seen[p] {
				continue // one marker is enough, and its answer tells
			}
			seen[p] = true
			group.Go(func() error {
				err := h.backend.WriteMarker(ctx, txn.Partition{Topic: t.Topic, Partition: p}, marker)
				at.ErrorCode = markerCode(err)
				return nil
			})
		}
		r.Topics = append(r.Topics, t)
	}
	_ = group.Wait() // the functions return nil
	return r
}

// markerCode is the code that a coordinator knows: a group coordinator that is not ready is a partition
// that is not led.
func markerCode(err error) code {
	if errors.Is(err, coordinator.ErrLoading) || errors.Is(err, coordinator.ErrNotCoordinator) ||
		errors.Is(err, coordinator.ErrNotAvailable) {
		return codeNotLeader
	}
	if isTimeout(err) {
		return codeTimedOut
	}
	return codeOf(err)
}

// isTimeout reports that a request's time ran out.
func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
