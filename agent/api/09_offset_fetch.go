package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/kafka"
)

// offsetFetch answers OffsetFetch (key 9): of one group up to version 7, of many from 8 on (KIP-709).
func (h *Handler) offsetFetch(
	ctx context.Context, version int16, req *kmsg.OffsetFetchRequest,
) *kmsg.OffsetFetchResponse {
	ctx, cancel := h.commitWait(ctx)
	defer cancel()
	resp := kmsg.NewPtrOffsetFetchResponse()
	if version < 8 {
		h.fetchOneGroup(ctx, version, req, resp)
		return resp
	}
	for i := range req.Groups {
		resp.Groups = append(resp.Groups, h.fetchGroup(ctx, version, &req.Groups[i], req.RequireStable))
	}
	return resp
}

// fetchOneGroup answers versions up to 7 by what version 8 says of the group.
func (h *Handler) fetchOneGroup(
	ctx context.Context, version int16, req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse,
) {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = req.Group
	if req.Topics != nil {
		g.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, len(req.Topics))
	}
	for i := range req.Topics {
		g.Topics[i].Topic, g.Topics[i].Partitions = req.Topics[i].Topic, req.Topics[i].Partitions
	}
	got := h.fetchGroup(ctx, version, &g, req.RequireStable)
	resp.ErrorCode = got.ErrorCode
	if got.ErrorCode != codeNone && version < 2 { // has no place for the group's code
		for i := range g.Topics {
			got.Topics = append(got.Topics, noOffsets(&g.Topics[i], got.ErrorCode))
		}
	}
	for i := range got.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = got.Topics[i].Topic
		for _, p := range got.Topics[i].Partitions {
			t.Partitions = append(t.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch,
				Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
		resp.Topics = append(resp.Topics, t)
	}
}

func (h *Handler) fetchGroup(
	ctx context.Context, version int16, g *kmsg.OffsetFetchRequestGroup, stable bool,
) kmsg.OffsetFetchResponseGroup {
	byID := version >= commitByIDSince
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = g.Group
	q := group.FetchRequest{
		Group: g.Group, MemberID: g.MemberID, MemberEpoch: g.MemberEpoch, RequireStable: stable,
		All: g.Topics == nil,
	}
	var unknown []kmsg.OffsetFetchResponseGroupTopic
	for i := range g.Topics {
		t := &g.Topics[i]
		f := group.TopicFetch{Topic: t.Topic, ID: t.TopicID, Partitions: t.Partitions}
		if byID {
			topic, ok := h.backend.TopicByID(t.TopicID)
			if !ok {
				unknown = append(unknown, noOffsets(t, codeUnknownTopicID))
				continue
			}
			f.Topic = topic.Name
		}
		q.Topics = append(q.Topics, f)
	}
	got, err := h.backend.FetchOffsets(ctx, q)
	if err != nil {
		out.ErrorCode = groupCode(err)
		return out
	}
	for i := range got.Topics {
		t := &got.Topics[i]
		if byID && t.ID.IsZero() {
			topic, ok := h.backend.Topic(t.Topic)
			if !ok {
				continue // of a topic that is gone: there is no way to name it
			}
			t.ID = topic.ID
		}
		out.Topics = append(out.Topics, fetchedTopic(t))
	}
	out.Topics = append(out.Topics, unknown...)
	return out
}

func fetchedTopic(t *group.TopicOffsets) kmsg.OffsetFetchResponseGroupTopic {
	out := kmsg.NewOffsetFetchResponseGroupTopic()
	out.Topic, out.TopicID = t.Topic, t.ID
	out.Partitions = make([]kmsg.OffsetFetchResponseGroupTopicPartition, len(t.Partitions))
	for i := range t.Partitions {
		p := &t.Partitions[i]
		out.Partitions[i] = kmsg.OffsetFetchResponseGroupTopicPartition{
			Partition: p.Partition, Offset: int64(p.Offset), LeaderEpoch: int32(p.LeaderEpoch),
			Metadata: &p.Metadata, ErrorCode: codeOf(p.Err),
		}
	}
	return out
}

// noOffsets answers each partition of a topic with a code.
func noOffsets(
	t *kmsg.OffsetFetchRequestGroupTopic, c code,
) kmsg.OffsetFetchResponseGroupTopic {
	none := group.TopicOffsets{Topic: t.Topic, ID: t.TopicID}
	for _, p := range t.Partitions {
		none.Partitions = append(none.Partitions, group.PartitionOffset{
			Partition: p, Offset: kafka.NoOffset, LeaderEpoch: kafka.NoLeaderEpoch,
		})
	}
	out := fetchedTopic(&none)
	for i := range out.Partitions {
		out.Partitions[i].ErrorCode = c
	}
	return out
}
