package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/bench/load"
	"github.com/varve-log/varve/bench/process"
)

// coldPartitions is over how many partitions the cold records are spread.
const coldPartitions = 4

// coldRecordBytes is the size of a cold record's value, as fill makes them.
const coldRecordBytes = 1 << 10

// cold measures reading sealed records from MinIO: by the SDK alone, through an agent that never
// had them on its disk, and by replay.
func (b *bench) cold(ctx context.Context) error {
	stack := b.path("localstack")
	if err := b.startStack(ctx, stack); err != nil {
		return err
	}
	defer func() {
		down := filepath.Join(b.o.root, "localstack", "down")
		_ = exec.Command(down, "--dir", stack, "--clean").Run()
	}()
	agent, topic, err := b.coldTopic(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = agent.Kill() }()
	for range b.o.rounds {
		if err := b.coldRound(ctx, agent, topic); err != nil {
			return err
		}
	}
	return nil
}

// startStack starts MinIO and takes its credentials and URLs into the environment, where the
// agents and the SDK find them.
func (b *bench) startStack(ctx context.Context, dir string) error {
	up := exec.CommandContext(ctx, filepath.Join(b.o.root, "localstack", "up"), "--env", "--dir", dir)
	var problems strings.Builder
	up.Stderr = &problems
	out, err := up.Output()
	if err != nil {
		return fmt.Errorf("localstack/up: %w: %s", err, strings.TrimSpace(problems.String()))
	}
	for line := range strings.Lines(string(out)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			if err := os.Setenv(name, strings.Trim(value, "'")); err != nil {
				return err
			}
		}
	}
	return nil
}

// coldTopic fills and seals a topic, and gives an agent with an empty disk.
func (b *bench) coldTopic(ctx context.Context) (*process.Agent, string, error) {
	agent, err := process.New(process.Config{
		Varve: b.o.varve, DataDir: b.path("cold/full"), Store: os.Getenv("VARVE_STORE_S3"),
	})
	if err != nil {
		return nil, "", err
	}
	if err := agent.Start(ctx); err != nil {
		return nil, "", err
	}
	t := target{
		column: colVarve, addr: agent.Bootstrap(),
		configs: map[string]string{"segment.bytes": "67108864"},
	}
	topic, err := b.fill(ctx, t, coldPartitions, int64(b.o.coldMB)<<20)
	if err == nil {
		err = seal(ctx, agent.HTTP(), topic)
	}
	if err != nil {
		return nil, "", errors.Join(err, agent.Kill())
	}
	if err := agent.Stop(); err != nil {
		return nil, "", err
	}
	if err := os.RemoveAll(b.path("cold/full")); err != nil {
		return nil, "", err
	}
	agent.SetDataDir(b.path("cold/empty"))
	return agent, topic, agent.Start(ctx)
}

// coldRound reads everything once in each way.
func (b *bench) coldRound(ctx context.Context, agent *process.Agent, topic string) error {
	type way struct {
		name, column string
		read         func(context.Context) (int64, error)
	}
	alone := func(ctx context.Context) (int64, error) {
		return fetchAll(ctx, agent.Bootstrap(), topic, 1)
	}
	together := func(ctx context.Context) (int64, error) {
		return fetchAll(ctx, agent.Bootstrap(), topic, coldPartitions)
	}
	replay := func(ctx context.Context) (int64, error) { return b.replay(ctx, topic) }
	for _, w := range []way{
		{coldAgent, colFloor, sdkAlone},
		{coldAgent, colVarve, together},
		{coldAgentOne, colVarve, alone},
		{coldReplay, colFloor, sdkAlone},
		{coldReplay, colVarve, replay},
	} {
		if err := b.touch(ctx); err != nil {
			return err
		}
		start := time.Now()
		n, err := w.read(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		if n < int64(b.o.coldMB)<<20*95/100 { // values alone are a little less than batches
			return fmt.Errorf("%s: %d bytes were read of %d MiB", w.name, n, b.o.coldMB)
		}
		speed := float64(n) / 1e6 / time.Since(start).Seconds()
		b.say("  %s, %s: %.0f MB/s", w.name, w.column, speed)
		b.results.add(metric{"cold", w.name}, w.column, speed)
	}
	return nil
}

// fetchAll fetches all partitions from their beginning, so many at a time.
func fetchAll(ctx context.Context, addr, topic string, parallel int) (int64, error) {
	var group errgroup.Group
	group.SetLimit(parallel)
	read := make([]int64, coldPartitions)
	for i := range read {
		group.Go(func() error {
			c := load.DefaultConsume()
			c.Addr, c.Topic, c.Partition, c.Raw = addr, topic, int32(i), true
			got, err := c.Run(ctx)
			read[i] = got.Bytes
			return err
		})
	}
	err := group.Wait()
	total := int64(0)
	for _, n := range read {
		total += n
	}
	return total, err
}

// replay runs the command with its output dropped, and counts the bytes of the values.
func (b *bench) replay(ctx context.Context, topic string) (int64, error) {
	cmd := exec.CommandContext(ctx, b.o.varve, "replay", topic, "-o", "raw",
		"--store", os.Getenv("VARVE_STORE_S3"))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(said.String()))
	}
	// It says: replayed 1,154,853 records of TOPIC.
	var records int64
	if words := strings.Fields(said.String()); len(words) > 1 && words[0] == "replayed" {
		records, _ = strconv.ParseInt(strings.ReplaceAll(words[1], ",", ""), 10, 64)
	}
	return records * coldRecordBytes, nil
}
