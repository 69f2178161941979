package main

import (
	"context"
	"fmt"

	"github.com/varve-log/varve/bench/load"
)

// consumeBytes is how much is read hot, by one connection from one partition.
const consumeBytes = 2 << 30

// consume measures reading records and raw fetching of what was just produced.
func (b *bench) consume(ctx context.Context) error {
	targets, err := b.targets(ctx)
	if err != nil {
		return err
	}
	var brokers []target
	topics := map[string]string{}
	for _, t := range targets {
		if t.bare {
			continue
		}
		if topics[t.column], err = b.fill(ctx, t, 1, consumeBytes); err != nil {
			return fmt.Errorf("%s: %w", t.column, err)
		}
		defer func() { _ = b.deleteTopic(ctx, t.addr, topics[t.column]) }()
		brokers = append(brokers, t)
	}
	return b.alternate(ctx, brokers, func(ctx context.Context, t target, keep bool) error {
		for _, raw := range []bool{false, true} {
			c := load.DefaultConsume()
			c.Addr, c.Topic, c.Raw = t.addr, topics[t.column], raw
			m, err := b.timed(ctx, t, c.Run)
			if err != nil {
				return err
			}
			b.say("  %-6s %7.0f MB/s %6.2f CPU-s/GB", t.column, m.megabytesPerSecond(), m.perGB())
			if !keep {
				continue
			}
			speed, cpu := throughput, cpuPerGB
			if raw {
				speed, cpu = rawSpeed, rawCPU
			}
			b.results.add(metric{"consume", speed}, t.column, m.megabytesPerSecond())
			b.results.add(metric{"consume", cpu}, t.column, m.perGB())
		}
		return nil
	})
}

// fill makes a topic with so many bytes of 1 KiB records, and leaves it.
func (b *bench) fill(ctx context.Context, t target, partitions int, bytes int64) (string, error) {
	topic := b.topic()
	if err := createTopic(ctx, t.addr, topic, partitions, t.configs); err != nil {
		return "", err
	}
	p := preEncoded(b)
	p.Addr, p.Topic, p.Connections = t.addr, topic, partitions
	p.BytesMax, p.Duration = bytes, fillTimeMax
	if _, err := p.Run(ctx); err != nil {
		return "", fmt.Errorf("fill: %w", err)
	}
	return topic, nil
}
