package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/render"
	"github.com/varve-log/varve/kafka"
)

func (a *app) catalogCommand() *cli.Command {
	return example(noun("catalog", "look into a bucket: what it holds, whether it is whole",
		a.catalogListCommand(), a.catalogShowCommand(), a.catalogFsckCommand(), a.catalogSweepCommand(),
	), "varve catalog ls --store file:///var/lib/varve/bucket\nvarve catalog fsck")
}

// archivedSummary is what of a topic is in the bucket.
type archivedSummary struct {
	Topic      string `json:"topic"`
	TopicID    string `json:"topic_id"`
	Partitions int    `json:"partitions"`
	Segments   int64  `json:"segments"`
	Bytes      int64  `json:"bytes"`
	Offsets    int64  `json:"offsets"`
	// Checkpoints are those of compacted partitions.
	Checkpoints     int   `json:"checkpoints"`
	CheckpointBytes int64 `json:"checkpoint_bytes"`
}

func (a *app) catalogListCommand() *cli.Command {
	return example(&cli.Command{
		Name: "ls", Usage: "list the topics of a bucket",
		Flags:  []cli.Flag{storeFlag(), outputFlag("table", "json")},
		Action: a.catalogList,
	}, "varve catalog ls --store 's3://archive/logs?region=eu-central-1'")
}

func (a *app) catalogList(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	output, err := outputOf(cmd, "table", "json")
	if err != nil {
		return err
	}
	store, reader, err := a.openCatalog(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	topics := reader.State().Topics()
	slices.SortFunc(topics, func(x, y *cluster.Topic) int { return cmp.Compare(x.Name, y.Name) })
	summaries := make([]archivedSummary, 0, len(topics))
	for _, t := range topics {
		s, err := summarize(ctx, reader, t)
		if err != nil {
			return fmt.Errorf("topic %q: %w", t.Name, err)
		}
		summaries = append(summaries, s)
	}
	if output == "json" {
		return render.JSON(a.stdout, summaries)
	}
	table := render.NewTable("TOPIC", "PARTITIONS", "SEGMENTS", "OFFSETS", "BYTES", "CHECKPOINT", "ID")
	for _, s := range summaries {
		saved := "-"
		if s.Checkpoints > 0 {
			saved = render.Bytes(s.CheckpointBytes)
		}
		table.Row(s.Topic, s.Partitions, s.Segments, s.Offsets, render.Bytes(s.Bytes), saved, s.TopicID)
	}
	return table.Write(a.stdout)
}

func summarize(
	ctx context.Context, reader *catalog.Reader, t *cluster.Topic,
) (archivedSummary, error) {
	s := archivedSummary{Topic: t.Name, TopicID: t.ID.String(), Partitions: len(t.Partitions)}
	for p := range t.Partitions {
		m := reader.Partition(kafka.TopicPartition{Topic: t.ID, Partition: int32(p)})
		head, err := m.Load(ctx)
		if err != nil {
			return s, err
		}
		bytes, err := m.DataBytes(ctx)
		if err != nil {
			return s, err
		}
		s.Segments += head.Segments()
		s.Bytes += bytes
		s.Offsets += int64(max(0, head.SealedEnd()-head.LogStartOffset))
		e, _, saved, err := reader.Checkpoint(ctx, head)
		if err != nil {
			return s, err
		}
		if saved {
			s.Checkpoints++
			s.CheckpointBytes += e.Bytes()
		}
	}
	return s, nil
}

// shownPartition is one partition's manifest.
type shownPartition struct {
	Partition      int32              `json:"partition"`
	LogStartOffset kafka.Offset       `json:"log_start_offset"`
	SealedEnd      kafka.Offset       `json:"sealed_end"`
	VerifiedEnd    kafka.Offset       `json:"verified_end"`
	FenceEpoch     kafka.LeaderEpoch  `json:"fence_epoch"`
	Epochs         []kafka.EpochStart `json:"epochs"`
	Segments       []shownSegment     `json:"segments"`
	// Checkpoint is there for a compacted log that was saved.
	Checkpoint *shownCheckpoint `json:"checkpoint,omitempty"`
}

// shownCheckpoint is what is saved of a compacted log.
type shownCheckpoint struct {
	StartOffset kafka.Offset      `json:"start_offset"`
	EndOffset   kafka.Offset      `json:"end_offset"`
	LeaderEpoch kafka.LeaderEpoch `json:"leader_epoch"`
	SavedAt     kafka.Timestamp   `json:"saved_at"`
	Records     int64             `json:"records"`
	Bytes       int64             `json:"bytes"`
	Parts       []shownPart       `json:"parts"`
}

type shownPart struct {
	checkpoint.Part
	Key string `json:"key"`
}

type shownSegment struct {
	manifest.Entry
	Key string `json:"key"`
}

func (a *app) catalogShowCommand() *cli.Command {
	return example(&cli.Command{
		Name: "show", Usage: "list a topic's sealed segments and checkpoints", ArgsUsage: "TOPIC",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.Int32SliceFlag{Name: "partition", Usage: "`NUMBER` of a partition; repeat for more"},
			outputFlag("table", "json"),
		},
		Action: a.catalogShow,
	}, "varve catalog show flights\nvarve catalog show flights --partition 0 -o json")
}

func (a *app) catalogShow(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	output, err := outputOf(cmd, "table", "json")
	if err != nil {
		return err
	}
	store, reader, err := a.openCatalog(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	topic, err := archivedTopic(reader.State(), args[0])
	if err != nil {
		return err
	}
	tps, err := partitionsOf(cmd, topic)
	if err != nil {
		return err
	}
	var shown []shownPartition
	for _, tp := range tps {
		p, err := showPartition(ctx, reader, reader.Partition(tp))
		if err != nil {
			return fmt.Errorf("partition %d: %w", tp.Partition, err)
		}
		shown = append(shown, p)
	}
	if output == "json" {
		return render.JSON(a.stdout, shown)
	}
	if err := a.writeSegments(shown); err != nil {
		return err
	}
	return a.writeCheckpoints(shown)
}

func (a *app) writeSegments(shown []shownPartition) error {
	table := render.NewTable("PARTITION", "BASE", "NEXT", "EPOCH", "RECORDS", "BYTES",
		"MIN TIME", "MAX TIME", "KEY")
	for _, p := range shown {
		for _, s := range p.Segments {
			table.Row(p.Partition, s.BaseOffset, s.NextOffset, s.LeaderEpoch, s.Records,
				render.Bytes(s.Bytes), timeText(s.MinTimestamp), timeText(s.MaxTimestamp), s.Key)
		}
	}
	return table.Write(a.stdout)
}

// writeCheckpoints lists the parts of what is saved of compacted logs, if there are any.
func (a *app) writeCheckpoints(shown []shownPartition) error {
	table := render.NewTable("PARTITION", "SAVED FROM", "NEXT", "EPOCH", "RECORDS", "BYTES",
		"SAVED AT", "KEY")
	any := false
	for _, p := range shown {
		if p.Checkpoint == nil {
			continue
		}
		any = true
		for _, s := range p.Checkpoint.Parts {
			table.Row(p.Partition, s.BaseOffset, s.NextOffset, p.Checkpoint.LeaderEpoch, s.Records,
				render.Bytes(s.Bytes()), timeText(p.Checkpoint.SavedAt), s.Key)
		}
	}
	if !any {
		return nil
	}
	return table.Write(a.stdout)
}

func showPartition(
	ctx context.Context, reader *catalog.Reader, m *catalog.PartitionManifest,
) (shownPartition, error) {
	head, err := m.Load(ctx)
	if err != nil {
		return shownPartition{}, err
	}
	p := shownPartition{
		Partition: m.TP().Partition, LogStartOffset: head.LogStartOffset,
		SealedEnd: head.SealedEnd(), VerifiedEnd: head.VerifiedEnd, FenceEpoch: head.FenceEpoch,
		Epochs: head.Epochs, Segments: []shownSegment{},
	}
	for e, err := range m.Entries(ctx, head.LogStartOffset) {
		if err != nil {
			return p, err
		}
		p.Segments = append(p.Segments, shownSegment{Entry: e, Key: e.Key(m.TP())})
	}
	e, in, saved, err := reader.Checkpoint(ctx, head)
	if err != nil || !saved {
		return p, err
	}
	p.Checkpoint = &shownCheckpoint{
		StartOffset: e.StartOffset(), EndOffset: e.EndOffset(), LeaderEpoch: e.LeaderEpoch,
		SavedAt: e.SavedAt, Records: e.Records(), Bytes: e.Bytes(),
	}
	for _, part := range e.Parts {
		p.Checkpoint.Parts = append(p.Checkpoint.Parts,
			shownPart{Part: part, Key: in.ObjectKey(part.Object)})
	}
	return p, nil
}
