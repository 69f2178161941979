package main

import (
	"context"

	"github.com/varve-log/varve/bench/load"
)

// transactions measures 100 records of 1 KiB in a transaction, one after another by two producers, with
// the same client on both sides.
func (b *bench) transactions(ctx context.Context) error {
	targets, err := b.targets(ctx)
	if err != nil {
		return err
	}
	var brokers []target
	for _, t := range targets {
		if !t.bare {
			brokers = append(brokers, t)
		}
	}
	return b.alternate(ctx, brokers, func(ctx context.Context, t target, keep bool) (err error) {
		var m measured
		l := load.DefaultTransactions()
		l.Producers, l.Duration = lanes, b.seconds()
		err = b.onTopic(ctx, t, lanes, func(topic string) error {
			l.Addr, l.Topic = t.addr, topic
			m, err = b.timed(ctx, t, l.Run)
			return err
		})
		if err != nil {
			return err
		}
		b.say("  %-6s %7.1f MB/s %6.2f CPU-s/GB", t.column, m.megabytesPerSecond(), m.perGB())
		if keep {
			b.results.add(metric{"transactions", throughput}, t.column, m.megabytesPerSecond())
			b.results.add(metric{"transactions", cpuPerGB}, t.column, m.perGB())
			b.results.add(metric{"transactions", p50}, t.column, quantile(m, 0.5))
			b.results.add(metric{"transactions", p99}, t.column, quantile(m, 0.99))
		}
		return nil
	})
}
