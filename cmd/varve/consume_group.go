package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v3"
)

// groupConsuming is consuming as a member of a group. It ends when nothing is left of the partitions
// that this member has.
type groupConsuming struct {
	*consuming
	spans map[int32]span
	wake  context.CancelFunc // ends a poll that waits for nothing

	mu       sync.Mutex // of consuming.ends, too
	assigned bool       // once at least
	unmarked []*kgo.Record
}

// consumeGroup runs consume --group: what is committed was printed.
func (a *app) consumeGroup(
	ctx context.Context, cmd *cli.Command, topic string, from position,
) error {
	if cmd.String("group") == "" {
		return usagef(cmd, "--group must not be empty")
	}
	if len(cmd.Int32Slice("partition")) > 0 {
		return usagef(cmd, "--group and --partition contradict each other: a group shares the partitions")
	}
	g := &groupConsuming{consuming: &consuming{topic: topic, left: cmd.Int64("count")}, wake: func() {}}
	if err := g.find(ctx, cmd, from); err != nil {
		return err
	}
	client, err := connect(ctx, cmd, g.options(cmd.String("group"))...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	g.client = client
	out := bufio.NewWriterSize(a.stdout, outputBuffer)
	g.print = recordPrinter(out, cmd.String("output"), cmd.String("key-separator"))
	g.seen = func(r *kgo.Record) { g.unmarked = append(g.unmarked, r) }
	err = g.run(ctx, out)
	if cmd.Bool("follow") && errors.Is(err, context.Canceled) {
		err = nil // Ctrl-C is how to end it
	}
	if err == nil {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), retryTimeout)
		defer cancel()
		err = client.CommitMarkedOffsets(end)
	}
	if err != nil {
		return fmt.Errorf("consume %q: %w", topic, err)
	}
	return nil
}

// find finds the ends of the partitions before the group is joined.
func (g *groupConsuming) find(ctx context.Context, cmd *cli.Command, from position) error {
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	g.client = client
	if g.spans, err = g.consuming.spans(ctx, cmd, from); err != nil {
		return err
	}
	if !cmd.Bool("follow") {
		g.ends = make(map[int32]int64)
	}
	return nil
}

func (g *groupConsuming) options(group string) []kgo.Opt {
	return []kgo.Opt{
		kgo.KeepControlRecords(), kgo.FetchMaxBytes(consumeFetchBytes),
		kgo.FetchMaxPartitionBytes(consumePartitionBytes),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(g.topic),
		kgo.Balancers(kgo.RangeBalancer(), kgo.CooperativeStickyBalancer()),
		kgo.AutoCommitMarks(), kgo.BlockRebalanceOnPoll(), kgo.AdjustFetchOffsetsFn(g.adjust),
		kgo.OnPartitionsAssigned(g.got), kgo.OnPartitionsRevoked(g.revoked), kgo.OnPartitionsLost(g.lost),
	}
}

// got notes an assignment; of one without partitions nothing follows.
func (g *groupConsuming) got(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	if len(partitions[g.topic]) > 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.assigned = true
	g.wake()
}

// adjust decides where partitions begin: where the group is, or else where --from says.
func (g *groupConsuming) adjust(
	_ context.Context, committed map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.assigned = true
	for p, o := range committed[g.topic] {
		s, known := g.spans[p]
		at := o.EpochOffset().Offset
		if at < 0 {
			at = s.start // of a partition that came later: 0
		}
		at = max(at, s.low)
		committed[g.topic][p] = kgo.NewOffset().At(at)
		if g.ends != nil && known && at < s.high {
			g.ends[p] = s.high
		}
	}
	if len(g.ends) == 0 {
		g.wake()
	}
	return committed, nil
}

// revoked commits what was printed of partitions that another member gets.
func (g *groupConsuming) revoked(
	ctx context.Context, client *kgo.Client, partitions map[string][]int32,
) {
	_ = client.CommitMarkedOffsets(ctx) // or another member prints them again
	g.lost(ctx, client, partitions)
}

func (g *groupConsuming) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range partitions[g.topic] {
		delete(g.ends, p)
	}
}

func (g *groupConsuming) run(ctx context.Context, out *bufio.Writer) error {
	for {
		poll, wake := context.WithCancel(ctx)
		g.mu.Lock()
		g.wake = wake
		done := g.ends != nil && g.assigned && len(g.ends) == 0
		g.mu.Unlock()
		if done {
			wake()
			return nil
		}
		fetches := g.client.PollFetches(poll)
		wake()
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.Canceled) {
				return fmt.Errorf("partition %d: %w", e.Partition, e.Err)
			}
		}
		done, err := g.take(fetches, out)
		if done || err != nil {
			return err
		}
		g.client.AllowRebalance()
	}
}

// take prints what was fetched, and marks it to be committed once it is out.
func (g *groupConsuming) take(fetches kgo.Fetches, out *bufio.Writer) (done bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	done, err = g.printAll(fetches)
	if err = errors.Join(err, out.Flush()); err == nil {
		g.client.MarkCommitRecords(g.unmarked...)
		g.unmarked = nil
	}
	return done, err
}
