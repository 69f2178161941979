package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/bench/process"
)

const (
	// drainTime bounds the wait for the workers to move what was fed.
	drainTime = 3 * time.Minute
	// settleTime bounds the wait for transactions that nobody ends to run out of time.
	settleTime = time.Minute
	lookEvery  = 200 * time.Millisecond
)

// checker holds the output against what was fed.
type checker struct {
	agent   *process.Agent
	varve   string
	store   string
	fed     int
	aborted int // records of aborted transactions
}

// drain waits until the group has committed the end of the input.
func (c *checker) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.agent.Bootstrap()))
	if err != nil {
		return err
	}
	defer client.Close()
	return c.await(ctx, func() (bool, string, error) {
		ends, err := offsets(ctx, client, input, 0)
		if err != nil {
			return false, "", err
		}
		done, err := committedOffsets(ctx, client)
		if err != nil {
			return false, "", err
		}
		for p, end := range ends {
			if done[p] > end {
				return false, "", fmt.Errorf("partition %d: offset %d is committed, the end is %d", p, done[p], end)
			}
		}
		return done == ends, fmt.Sprintf("committed %v of %v", done, ends), nil
	})
}

// await looks again and again until something holds.
func (c *checker) await(ctx context.Context, holds func() (bool, string, error)) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	last := "nothing yet"
	for {
		ok, now, err := holds()
		switch {
		case ok:
			return nil
		case err != nil && ctx.Err() == nil:
			return err
		case now != "":
			last = now
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), last)
		case <-ticker.C:
		}
	}
}

// check reads the output in every way.
func (c *checker) check(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.agent.Bootstrap()))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := c.settled(ctx, client)
	if err != nil {
		return fmt.Errorf("transactions hang: %w", err)
	}
	seen, err := c.consume(ctx, ends, kgo.ReadCommitted())
	if err != nil {
		return fmt.Errorf("read_committed: %w", err)
	}
	if err := seen.exactlyOnce(c.fed); err != nil {
		return fmt.Errorf("read_committed: %w", err)
	}
	if err := c.run(ctx, io.Discard, "topic", "seal", output,
		"--http", strings.TrimPrefix(c.agent.HTTP(), "http://")); err != nil {
		return err
	}
	if seen, err = c.replay(ctx); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if err := seen.exactlyOnce(c.fed); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	all, err := c.replay(ctx, "--read-uncommitted")
	if err != nil {
		return fmt.Errorf("replay of all: %w", err)
	}
	c.aborted = all.total - seen.total
	if all.doomed == 0 {
		return errors.New("no aborted record was written: the test shows nothing of them")
	}
	return nil
}

// settled waits until no transaction is open on the output and gives its end.
func (c *checker) settled(ctx context.Context, client *kgo.Client) (ends [partitions]int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	err = c.await(ctx, func() (bool, string, error) {
		high, err := offsets(ctx, client, output, 0)
		if err != nil {
			return false, "", err
		}
		ends, err = offsets(ctx, client, output, 1)
		return high == ends, fmt.Sprintf("last stable offsets %v of %v", ends, high), err
	})
	return ends, err
}

// consume reads the output up to ends as a Kafka client does.
func (c *checker) consume(
	ctx context.Context, ends [partitions]int64, isolation kgo.IsolationLevel,
) (*count, error) {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	start := map[int32]kgo.Offset{}
	for p := range int32(partitions) {
		if ends[p] > 0 {
			start[p] = kgo.NewOffset().AtStart()
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.agent.Bootstrap()),
		kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{output: start}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	seen := newCount()
	// The last record of a partition is a marker, which is kept here to know the end.
	for len(start) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				seen.add(string(r.Key), string(r.Value))
			}
			if r.Offset == ends[r.Partition]-1 {
				delete(start, r.Partition)
			}
		})
	}
	return seen, nil
}

// replay reads the output from the bucket alone.
func (c *checker) replay(ctx context.Context, more ...string) (*count, error) {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		args := append([]string{"replay", output, "--store", c.store, "-o", "json"}, more...)
		err := c.run(ctx, w, args...)
		done <- errors.Join(err, w.CloseWithError(err))
	}()
	seen := newCount()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Key, Value string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		seen.add(line.Key, line.Value)
	}
	return seen, errors.Join(lines.Err(), <-done)
}

// run runs the command line.
func (c *checker) run(ctx context.Context, out io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, c.varve, args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = out, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("varve %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return nil
}

// count is how often each record was read.
type count struct {
	byKey         map[string]int
	total, doomed int
}

func newCount() *count { return &count{byKey: map[string]int{}} }

func (c *count) add(key, value string) {
	c.total++
	c.byKey[key]++
	if strings.HasPrefix(value, doomed) {
		c.doomed++
	}
}

// exactlyOnce wants the numbers below fed, once each, and nothing else.
func (c *count) exactlyOnce(fed int) error {
	if c.doomed > 0 {
		return fmt.Errorf("%d records of aborted transactions were read", c.doomed)
	}
	var missing, twice []string
	for i := range fed {
		switch key := strconv.Itoa(i); c.byKey[key] {
		case 0:
			missing = append(missing, key)
		case 1:
		default:
			twice = append(twice, key)
		}
	}
	if len(missing)+len(twice) > 0 || len(c.byKey) != fed {
		return fmt.Errorf("of %d records %d are missing (%.200s), %d are there more than once (%.200s), "+
			"%d other keys", fed, len(missing), strings.Join(missing, " "), len(twice),
			strings.Join(twice, " "), len(c.byKey)-fed+len(missing))
	}
	return nil
}

// offsets are the ends of a topic's partitions: 0 the high watermarks, 1 the last stable offsets.
func offsets(
	ctx context.Context, client *kgo.Client, topic string, isolation int8,
) (ends [partitions]int64, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = isolation
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range int32(partitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return ends, fmt.Errorf("list offsets: %w", err)
	}
	for _, p := range res.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return ends, fmt.Errorf("list offsets of partition %d: %w", p.Partition, err)
		}
		ends[p.Partition] = p.Offset
	}
	return ends, nil
}

// committedOffsets are the group's, for the input.
func committedOffsets(
	ctx context.Context, client *kgo.Client,
) (done [partitions]int64, err error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Group, req.Groups = group, append(req.Groups, g)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return done, fmt.Errorf("fetch offsets: %w", err)
	}
	for _, g := range res.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return done, fmt.Errorf("fetch offsets: %w", err)
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				done[p.Partition] = p.Offset
			}
		}
	}
	return done, nil
}
