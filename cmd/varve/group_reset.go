package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/render"
)

func (a *app) groupResetCommand() *cli.Command {
	flags := []cli.Flag{
		&cli.StringSliceFlag{
			Name: "topic", Usage: "`TOPIC[:PARTITION,...]` to reset; repeat for more",
		},
		&cli.BoolFlag{Name: "all-topics", Usage: "reset all that the group has committed"},
		&cli.BoolFlag{Name: "execute", Usage: "do it; otherwise only what would be done is shown"},
	}
	flags = append(flags, resetFlags()...)
	return example(&cli.Command{
		Name: "reset", Usage: "move a group's committed offsets", ArgsUsage: "GROUP",
		Description: "The group must have no members. Nothing is changed without --execute.\n" +
			"Offsets beyond the ends of a partition are moved to its ends.",
		Flags:  append(flags, bootstrapFlag(), outputFlag("table", "json")),
		Action: a.groupReset,
	}, `varve group reset reports --topic flights --to-earliest
varve group reset reports --topic flights:0,2 --to-datetime 2001-03-01 --execute
varve group reset reports --all-topics --by-duration 1h30m --execute`)
}

// resetOffset is one offset that is, or would be, committed.
type resetOffset struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	From      *int64 `json:"from"`
	To        int64  `json:"to"`
}

func (a *app) groupReset(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "GROUP")
	if err != nil {
		return err
	}
	output, err := outputOf(cmd, "table", "json")
	if err != nil {
		return err
	}
	to, err := resetTargetOf(cmd)
	if err != nil {
		return err
	}
	if cmd.Bool("all-topics") == (len(cmd.StringSlice("topic")) > 0) {
		return usagef(cmd, "%s needs either --topic or --all-topics", verbPath(cmd))
	}
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	plan, err := a.planReset(ctx, cmd, client, args[0], to)
	if err != nil {
		return err
	}
	if cmd.Bool("execute") {
		if err := commitReset(ctx, client, args[0], plan); err != nil {
			return err
		}
	}
	if output == "json" {
		err = render.JSON(a.stdout, plan)
	} else {
		err = writeReset(a.stdout, plan)
	}
	if err == nil && !cmd.Bool("execute") {
		fmt.Fprintln(a.stderr, "nothing was changed; give --execute to do it")
	}
	return err
}

func writeReset(w io.Writer, plan []resetOffset) error {
	table := render.NewTable("TOPIC", "PARTITION", "FROM", "TO")
	for _, r := range plan {
		table.Row(r.Topic, r.Partition, known(r.From), r.To)
	}
	return table.Write(w)
}

// planReset finds the new offset of each partition.
func (a *app) planReset(
	ctx context.Context, cmd *cli.Command, client *kgo.Client, group string, to resetTarget,
) ([]resetOffset, error) {
	committed, err := committedOffsets(ctx, client, group)
	if err != nil {
		return nil, err
	}
	var chosen []tp
	if cmd.Bool("all-topics") {
		for p := range committed {
			chosen = append(chosen, p)
		}
		if len(chosen) == 0 {
			return nil, fmt.Errorf("group %q has committed no offsets; name topics with --topic", group)
		}
	} else if chosen, err = chosenPartitions(ctx, cmd, client); err != nil {
		return nil, err
	}
	slices.SortFunc(chosen, tp.compare)
	chosen = slices.Compact(chosen)
	targets, err := to.offsets(ctx, client, chosen, committed)
	if err != nil {
		return nil, err
	}
	plan := make([]resetOffset, 0, len(chosen))
	for _, p := range chosen {
		target, ok := targets[p]
		if !ok {
			fmt.Fprintf(a.stderr, "varve: %s is left alone: there is no such partition any more\n", p)
			continue
		}
		r := resetOffset{Topic: p.topic, Partition: p.partition, To: target}
		if from, ok := committed[p]; ok {
			r.From = &from
		}
		plan = append(plan, r)
	}
	return plan, nil
}

// chosenPartitions reads the repeated --topic TOPIC[:PARTITION,...].
func chosenPartitions(ctx context.Context, cmd *cli.Command, client *kgo.Client) ([]tp, error) {
	var chosen []tp
	for _, text := range cmd.StringSlice("topic") {
		name, list, some := strings.Cut(text, ":")
		meta, err := oneTopic(ctx, client, name)
		if err != nil {
			return nil, err
		}
		if !some {
			for _, p := range meta.Partitions {
				chosen = append(chosen, tp{name, p.Partition})
			}
			continue
		}
		for _, n := range strings.Split(list, ",") {
			p, err := strconv.ParseInt(n, 10, 32)
			if err != nil || p < 0 {
				return nil, usagef(cmd, "--topic %q does not name partitions", text).withHint(
					"write flights:0 or flights:0,2")
			}
			if int(p) >= len(meta.Partitions) {
				return nil, fmt.Errorf("topic %q has no partition %d, only 0 to %d",
					name, p, len(meta.Partitions)-1)
			}
			chosen = append(chosen, tp{name, int32(p)})
		}
	}
	return chosen, nil
}

// commitReset commits a plan, as a consumer without membership does.
func commitReset(
	ctx context.Context, client *kgo.Client, group string, plan []resetOffset,
) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	for _, r := range plan {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != r.Topic {
			meta, err := oneTopic(ctx, client, r.Topic)
			if err != nil {
				return err
			}
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = r.Topic, meta.TopicID
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.Metadata = r.Partition, r.To, new(string)
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, p)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("commit the offsets of group %q: %w", group, err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := groupError(group, "reset", p.ErrorCode, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
