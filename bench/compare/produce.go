package main

import (
	"context"
	"math"
	"time"

	"github.com/varve-log/varve/bench/load"
)

// lanes is how many connections and partitions the loads at full rate have.
const lanes = 2

// preEncodedBatch is the size of the batches that are built before the clock starts.
const preEncodedBatch = 64 << 10

// pacedTimeMin is how long paced runs are at least, for their tails to be worth something.
const pacedTimeMin = 5 * time.Second

// measured is a run with what the broker used for it.
type measured struct {
	load.Result
	cpu float64 // seconds
}

// perGB is the broker's CPU seconds for 10^9 bytes.
func (m measured) perGB() float64 { return m.cpu / (float64(m.Bytes) / 1e9) }

// megabytesPerSecond is the throughput.
func (m measured) megabytesPerSecond() float64 { return m.BytesPerSecond() / 1e6 }

// timed runs a load with memory touched just before, and the broker's CPU time around it.
func (b *bench) timed(
	ctx context.Context, t target, run func(context.Context) (load.Result, error),
) (measured, error) {
	if err := b.touch(ctx); err != nil {
		return measured{}, err
	}
	before, err := cpuSeconds(t.pid)
	if err != nil {
		return measured{}, err
	}
	got, err := run(ctx)
	if err != nil {
		return measured{}, err
	}
	after, err := cpuSeconds(t.pid)
	return measured{got, after - before}, err
}

// produce measures one produce run on a topic of its own.
func (b *bench) produce(ctx context.Context, t target, p load.Produce) (m measured, err error) {
	err = b.withTopic(ctx, t, p.Connections, func(topic string) error {
		p.Addr, p.Topic, p.Bare = t.addr, topic, t.bare
		m, err = b.timed(ctx, t, p.Run)
		return err
	})
	b.say("  %-6s %7.0f MB/s %6.2f CPU-s/GB", t.column, m.megabytesPerSecond(), m.perGB())
	return m, err
}

// encoded is a load of values of one size, which the client makes into batches.
func encoded(size int) func(*bench) load.Produce {
	return func(b *bench) load.Produce {
		p := load.DefaultProduce()
		p.RecordBytes, p.BatchBytes, p.Connections, p.Duration = size, b.o.batch, lanes, b.seconds()
		return p
	}
}

// preEncoded is a load of one batch over and over.
func preEncoded(b *bench) load.Produce {
	p := encoded(1 << 10)(b)
	p.PreEncoded, p.BatchBytes = true, preEncodedBatch
	return p
}

// produceRow measures a load at full rate.
func produceRow(
	name string, settings func(*bench) load.Produce,
) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		targets, err := b.targets(ctx)
		if err != nil {
			return err
		}
		return b.alternate(ctx, targets, func(ctx context.Context, t target, keep bool) error {
			m, err := b.produce(ctx, t, settings(b))
			if err != nil || !keep {
				return err
			}
			b.results.add(metric{name, throughput}, t.column, m.megabytesPerSecond())
			b.results.add(metric{name, cpuPerGB}, t.column, m.perGB())
			return nil
		})
	}
}

// paced is a load of 1 KiB values at a rate of records per second.
func (b *bench) paced(rate float64, connections int) load.Produce {
	p := encoded(1 << 10)(b)
	p.Rate, p.Connections, p.Duration = rate, connections, max(b.seconds(), pacedTimeMin)
	return p
}

// pacedRow measures latencies at a rate on one connection.
func pacedRow(name string, rate float64) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		targets, err := b.targets(ctx)
		if err != nil {
			return err
		}
		return b.alternate(ctx, targets, func(ctx context.Context, t target, keep bool) error {
			m, err := b.produce(ctx, t, b.paced(rate, 1))
			if err != nil || !keep {
				return err
			}
			b.results.add(metric{name, p50}, t.column, quantile(m, 0.5))
			b.results.add(metric{name, p99}, t.column, quantile(m, 0.99))
			b.results.add(metric{name, cpuPerGB}, t.column, m.perGB())
			return nil
		})
	}
}

// quantile of the latencies in ms.
func quantile(m measured, q float64) float64 {
	if m.Latency == nil || m.Latency.Count() == 0 {
		return math.NaN()
	}
	return float64(m.Latency.Quantile(q)) / float64(time.Millisecond)
}
