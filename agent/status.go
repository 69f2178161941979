package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/varve-log/varve/agent/admin"
	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/kafka"
)

var _ admin.Agent = (*Agent)(nil)

// Ready implements admin.Agent.
func (a *Agent) Ready() error {
	if err := a.notReady.Load(); err != nil {
		return *err
	}
	return nil
}

// TopicSegments implements admin.Agent.
func (a *Agent) TopicSegments(ctx context.Context, name string) (admin.TopicSegments, error) {
	topic, err := a.adminTopic(name)
	if err != nil {
		return admin.TopicSegments{}, err
	}
	out := admin.TopicSegments{Topic: topic.Name, TopicID: topic.ID.String()}
	for i := range topic.Partitions {
		tp := kafka.TopicPartition{Topic: topic.ID, Partition: int32(i)}
		var part admin.PartitionSegments
		err := a.awaitSealable(ctx, []kafka.TopicPartition{tp})
		if err == nil {
			part, err = a.partitionSegments(ctx, tp)
		}
		if err != nil {
			return admin.TopicSegments{}, fmt.Errorf("partition %d of topic %q: %w", i, name, err)
		}
		out.Partitions = append(out.Partitions, part)
	}
	return out, nil
}

func (a *Agent) adminTopic(name string) (*api.Topic, error) {
	topic, ok := a.Topic(name)
	if !ok {
		return nil, fmt.Errorf("%w %q", admin.ErrUnknownTopic, name)
	}
	return topic, nil
}

func (a *Agent) partitionSegments(
	ctx context.Context, tp kafka.TopicPartition,
) (admin.PartitionSegments, error) {
	p := a.topology.Load().open[tp]
	if p == nil {
		return admin.PartitionSegments{}, fmt.Errorf("%s: %w", tp, api.ErrNotLeader)
	}
	if err := p.LoadArchive(ctx); err != nil {
		return admin.PartitionSegments{}, err
	}
	stretches, err := a.sealer.Status(ctx, tp)
	if err != nil {
		return admin.PartitionSegments{}, err
	}
	o := p.Offsets()
	out := admin.PartitionSegments{
		Partition: tp.Partition, LeaderEpoch: p.LeaderEpoch(),
		LogStartOffset: o.LogStart, LocalLogStartOffset: o.LocalLogStart,
		SealedEnd: o.SealedEnd, VerifiedEnd: p.VerifiedEnd(), HighWatermark: o.HighWatermark,
		LogEndOffset: o.LogEnd, Segments: []admin.Segment{},
	}
	if e, ok := a.saver.Saved(tp); ok {
		out.Checkpoint = &admin.Checkpoint{
			StartOffset: e.StartOffset(), EndOffset: e.EndOffset(), SavedAt: e.SavedAt,
			Records: e.Records(), Bytes: e.Bytes(),
		}
	}
	for _, s := range stretches {
		out.Segments = append(out.Segments, admin.Segment{
			State: admin.SegmentState(s.State), BaseOffset: s.BaseOffset, NextOffset: s.NextOffset,
			Bytes: s.Bytes, Segments: s.Segments,
		})
	}
	return out, nil
}

// SealTopic implements admin.Agent.
func (a *Agent) SealTopic(ctx context.Context, name string) (admin.SealResult, error) {
	topic, err := a.adminTopic(name)
	if err != nil {
		return admin.SealResult{}, err
	}
	tps := make([]kafka.TopicPartition, len(topic.Partitions))
	for i := range tps {
		tps[i] = kafka.TopicPartition{Topic: topic.ID, Partition: int32(i)}
	}
	if err := a.awaitSealable(ctx, tps); err != nil {
		return admin.SealResult{}, err
	}
	out := admin.SealResult{Topic: name}
	for _, r := range a.sealer.SealNow(ctx, tps) {
		if r.Err != nil {
			return out, fmt.Errorf("seal partition %d of topic %q: %w", r.TP.Partition, name, r.Err)
		}
		out.Partitions = append(out.Partitions,
			admin.PartitionSealing{Partition: r.TP.Partition, VerifiedEnd: r.VerifiedEnd})
	}
	slices.SortFunc(out.Partitions, func(a, b admin.PartitionSealing) int {
		return cmp.Compare(a.Partition, b.Partition)
	})
	return out, nil
}

// awaitSealable makes sure that partitions are in the sealer's care, which a start does in the
// background.
func (a *Agent) awaitSealable(ctx context.Context, tps []kafka.TopicPartition) error {
	for _, tp := range tps {
		p := a.topology.Load().open[tp]
		if p == nil {
			return fmt.Errorf("%s: %w", tp, api.ErrNotLeader)
		}
		if err := p.LoadArchive(ctx); err != nil {
			return err
		}
		a.beginSealing(p)
	}
	return nil
}
