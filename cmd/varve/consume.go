package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

const (
	consumeFetchBytes     = 32 << 20
	consumePartitionBytes = 8 << 20
	outputBuffer          = 1 << 20
)

func (a *app) consumeCommand() *cli.Command {
	return example(&cli.Command{
		Name: "consume", Usage: "print the records of a topic", ArgsUsage: "TOPIC",
		Description: "Ends at the records that were the last when it began, unless told to --follow.\n" +
			"In a group, --from counts for partitions of which the group has committed no offset.",
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name: "from", Value: "earliest", Usage: "`WHERE` to begin: earliest, latest, an offset, a time",
			},
			&cli.Int32SliceFlag{Name: "partition", Usage: "`NUMBER` of a partition; repeat for more"},
			&cli.Int64Flag{Name: "count", Usage: "end after this `NUMBER` of records"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "wait for more at the end"},
			&cli.StringFlag{Name: "key-separator", Usage: "print keys, and this `TEXT` after them"},
			&cli.StringFlag{
				Name:  "group",
				Usage: "consume as a member of this `GROUP`: begin where it is, commit what is printed",
			},
			outputFlag("value", "json"), bootstrapFlag(),
		},
		Action: a.consume,
	}, `varve consume flights --count 10
varve consume flights --from 2001-03-01 -o json
varve consume flights --from latest --follow --key-separator ' '
varve consume flights --group reports --follow`)
}

func (a *app) consume(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	output, err := outputOf(cmd, "value", "json")
	if err != nil {
		return err
	}
	from, err := positionOf(cmd, "from")
	if err != nil {
		return err
	}
	if cmd.Int64("count") < 0 {
		return usagef(cmd, "--count %d is below 0", cmd.Int64("count"))
	}
	if cmd.IsSet("group") {
		return a.consumeGroup(ctx, cmd, args[0], from)
	}
	client, err := connect(ctx, cmd, kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(consumeFetchBytes), kgo.FetchMaxPartitionBytes(consumePartitionBytes),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return err
	}
	defer client.Close()
	c := &consuming{client: client, topic: args[0], left: cmd.Int64("count")}
	if err := c.begin(ctx, cmd, from); err != nil {
		return err
	}
	out := bufio.NewWriterSize(a.stdout, outputBuffer)
	c.print = recordPrinter(out, output, cmd.String("key-separator"))
	err = c.run(ctx, out)
	if cmd.Bool("follow") && errors.Is(err, context.Canceled) {
		err = nil // Ctrl-C is how to end it
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("consume %q: %w", args[0], err)
	}
	return nil
}

// recordPrinter writes a record as the output says.
func recordPrinter(w io.Writer, output, separator string) func(int32, record.Record) error {
	var line []byte
	return func(partition int32, r record.Record) error {
		line = line[:0]
		if output == "json" {
			line = appendRecordJSON(line, partition, r)
		} else {
			if separator != "" {
				line = append(append(line, r.Key...), separator...)
			}
			line = append(append(line, r.Value...), '\n')
		}
		_, err := w.Write(line)
		return err
	}
}

// consuming is one run over some partitions of a topic.
type consuming struct {
	client *kgo.Client
	topic  string
	print  func(partition int32, r record.Record) error
	// seen, if not nil, is called with what was printed, and with the control records in between.
	seen func(*kgo.Record)
	// left is how many records may still be printed; 0 is no bound.
	left int64
	// ends are where partitions end that are not done yet; nil when following.
	ends map[int32]int64
}

// span is where a partition is read from, and where its ends were when that began.
type span struct{ low, start, high int64 }

// begin finds where to start and where to end, and starts fetching.
func (c *consuming) begin(ctx context.Context, cmd *cli.Command, from position) error {
	spans, err := c.spans(ctx, cmd, from)
	if err != nil {
		return err
	}
	if !cmd.Bool("follow") {
		c.ends = make(map[int32]int64)
	}
	offsets := make(map[int32]kgo.Offset, len(spans))
	for p, s := range spans {
		if c.ends != nil && s.start < s.high {
			c.ends[p] = s.high
		}
		if c.ends == nil || s.start < s.high {
			offsets[p] = kgo.NewOffset().At(s.start)
		}
	}
	if len(offsets) > 0 {
		c.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: offsets})
	}
	return nil
}

// spans finds the ends of the chosen partitions, and the position between them.
func (c *consuming) spans(
	ctx context.Context, cmd *cli.Command, from position,
) (map[int32]span, error) {
	meta, err := oneTopic(ctx, c.client, c.topic)
	if err != nil {
		return nil, err
	}
	partitions, err := choosePartitions(cmd, meta)
	if err != nil {
		return nil, err
	}
	lows, err := listOffsets(ctx, c.client, c.topic, partitions, earliestTimestamp)
	if err != nil {
		return nil, err
	}
	highs, err := listOffsets(ctx, c.client, c.topic, partitions, latestTimestamp)
	if err != nil {
		return nil, err
	}
	starts := lows
	switch {
	case from.special == "latest":
		starts = highs
	case from.isTime:
		starts, err = listOffsets(ctx, c.client, c.topic, partitions, int64(from.time))
		if err != nil {
			return nil, err
		}
	}
	spans := make(map[int32]span, len(partitions))
	for _, p := range partitions {
		s := span{low: lows[p], start: starts[p], high: highs[p]}
		switch {
		case from.isTime && s.start < 0: // no record is that young
			s.start = s.high
		case from.special == "" && !from.isTime:
			s.start = min(max(int64(from.offset), s.low), s.high)
		}
		spans[p] = s
	}
	return spans, nil
}

func choosePartitions(cmd *cli.Command, topic kmsg.MetadataResponseTopic) ([]int32, error) {
	var all []int32
	for _, p := range topic.Partitions {
		all = append(all, p.Partition)
	}
	slices.Sort(all)
	wanted := cmd.Int32Slice("partition")
	if len(wanted) == 0 {
		return all, nil
	}
	for _, p := range wanted {
		if !slices.Contains(all, p) {
			return nil, fmt.Errorf("topic %q has no partition %d, only 0 to %d",
				*topic.Topic, p, len(all)-1)
		}
	}
	return wanted, nil
}

func (c *consuming) run(ctx context.Context, out *bufio.Writer) error {
	for c.ends == nil || len(c.ends) > 0 {
		fetches := c.client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("partition %d: %w", e.Partition, e.Err)
		}
		done, err := c.printAll(fetches)
		if done || err != nil {
			return err
		}
		if c.ends == nil { // somebody is watching
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// printAll prints what was fetched; done when as many as asked for were printed.
func (c *consuming) printAll(fetches kgo.Fetches) (done bool, err error) {
	var headers []record.Header
	for it := fetches.RecordIter(); !it.Done(); {
		r := it.Next()
		end, wanted := c.ends[r.Partition]
		if c.ends != nil && (!wanted || r.Offset >= end) {
			delete(c.ends, r.Partition)
			continue
		}
		if c.ends != nil && r.Offset == end-1 {
			delete(c.ends, r.Partition)
		}
		if r.Attrs.IsControl() {
			c.saw(r)
			continue
		}
		headers = headers[:0]
		for _, h := range r.Headers {
			headers = append(headers, record.Header{Key: h.Key, Value: h.Value})
		}
		if err := c.print(r.Partition, record.Record{
			Offset: kafka.Offset(r.Offset), Timestamp: kafka.Timestamp(r.Timestamp.UnixMilli()),
			Key: r.Key, Value: r.Value, Headers: headers,
		}); err != nil {
			return true, err
		}
		c.saw(r)
		if c.left > 0 {
			if c.left--; c.left == 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

func (c *consuming) saw(r *kgo.Record) {
	if c.seen != nil {
		c.seen(r)
	}
}
