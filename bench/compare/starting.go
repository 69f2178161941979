package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/varve-log/varve/bench/wire"
	"github.com/varve-log/varve/kafka/record"
)

// idleTime is how long a broker is left alone before its memory is read.
const idleTime = 3 * time.Second

// restartPartitions is how many the agent that is killed has.
const restartPartitions = 2000

// recordOverhead is what a record of a few bytes takes in a request, generously.
const recordOverhead = 256

// starts measures how long brokers take to be ready on an empty disk, and their memory when idle.
func (b *bench) starts(ctx context.Context) error {
	for range b.o.rounds {
		if err := b.startOnce(ctx); err != nil {
			return err
		}
	}
	if err := b.startKafka(ctx); err != nil || b.kafka == nil {
		return err
	}
	if err := pause(ctx, idleTime); err != nil {
		return err
	}
	mb, err := residentMB(b.kafka.pid)
	if err != nil {
		return err
	}
	ready := float64(b.kafka.ready) / float64(time.Millisecond)
	b.results.add(metric{"start", readyTime}, colKafka, ready)
	b.results.add(metric{"start", idleMemory}, colKafka, mb)
	return nil
}

func (b *bench) startOnce(ctx context.Context) error {
	defer func() { _ = os.RemoveAll(b.path("start")) }()
	agent, err := b.agent("start")
	if err != nil {
		return err
	}
	before := time.Now()
	if err := agent.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = agent.Kill() }()
	ready := float64(time.Since(before)) / float64(time.Millisecond)
	if err := pause(ctx, idleTime); err != nil {
		return err
	}
	mb, err := residentMB(agent.PID())
	if err != nil {
		return err
	}
	b.results.add(metric{"start", readyTime}, colVarve, ready)
	b.results.add(metric{"start", idleMemory}, colVarve, mb)
	return nil
}

// restart measures how long an agent with many partitions takes after a kill -9, until it is ready
// and the last partition answers.
func (b *bench) restart(ctx context.Context) error {
	defer func() { _ = os.RemoveAll(b.path("restart")) }()
	agent, err := b.agent("restart")
	if err != nil {
		return err
	}
	if err := agent.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = agent.Kill() }()
	topic := b.topic()
	if err := createTopic(ctx, agent.Bootstrap(), topic, restartPartitions, nil); err != nil {
		return err
	}
	for range b.o.rounds {
		if err := oneToEach(ctx, agent.Bootstrap(), topic, restartPartitions); err != nil {
			return err
		}
		if err := agent.Kill(); err != nil {
			return err
		}
		before := time.Now()
		if err := agent.Start(ctx); err != nil {
			return err
		}
		if err := answers(ctx, agent.Bootstrap(), topic, restartPartitions); err != nil {
			return err
		}
		b.results.add(metric{"restart", restartTime}, colVarve, time.Since(before).Seconds())
	}
	return nil
}

// oneToEach produces one record to each partition.
func oneToEach(ctx context.Context, addr, topic string, partitions int) error {
	conn, err := wire.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	frame := wire.NewFrame(topic, -1, recordOverhead)
	for i := range int32(partitions) {
		builder := record.NewBuilder(record.None)
		value := binary.BigEndian.AppendUint32(nil, uint32(i))
		builder.Append(0, nil, value)
		batch, err := builder.Build()
		if err != nil {
			return err
		}
		if err := conn.Send(frame.Seal(append(frame.Buffer(), batch...), i)); err != nil {
			return err
		}
		answer, err := conn.Receive()
		if err == nil {
			err = wire.ProduceError(answer)
		}
		if err != nil {
			return fmt.Errorf("produce to partition %d: %w", i, err)
		}
	}
	return nil
}

// answers returns when the last partition of a topic tells its end.
func answers(ctx context.Context, addr, topic string, partitions int) error {
	conn, err := wire.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Leaders(ctx, topic); err != nil {
		return err
	}
	end, err := conn.Offset(topic, int32(partitions-1), wire.Latest)
	if err == nil && end == 0 {
		return fmt.Errorf("partition %d is empty after the restart", partitions-1)
	}
	return err
}
