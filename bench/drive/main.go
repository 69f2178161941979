package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/varve-log/varve/bench/load"
	"github.com/varve-log/varve/bench/wire"
)

// options are the flags.
type options struct {
	produce load.Produce
	consume bool
	raw     bool
	keep    bool
	acks    int
	seconds float64
	times   int
	configs string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "drive: %v\n", err)
		os.Exit(1)
	}
}

func parse() options {
	o := options{produce: load.DefaultProduce()}
	p := &o.produce
	flag.StringVar(&p.Addr, "addr", "127.0.0.1:9092", "the broker's host:port")
	flag.StringVar(&p.Topic, "topic", "drive", "topic of the run")
	flag.BoolVar(&p.Bare, "bare", false, "the address is a bench/sink")
	flag.IntVar(&p.Connections, "connections", p.Connections, "connections, one partition each")
	flag.IntVar(&p.InFlight, "in-flight", p.InFlight, "requests in flight on each connection")
	flag.IntVar(&p.RecordBytes, "size", p.RecordBytes, "bytes of a value")
	flag.IntVar(&p.BatchBytes, "batch", p.BatchBytes, "bytes of a batch at most")
	flag.IntVar(&o.acks, "acks", -1, "0, 1 or -1 (all)")
	flag.BoolVar(&p.PreEncoded, "pre-encoded", false, "send one batch over and over")
	flag.Float64Var(&p.Rate, "rate", 0, "records per second; 0: as fast as it goes")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long to produce")
	flag.IntVar(&o.times, "times", 1, "how often")
	flag.BoolVar(&o.consume, "consume", false, "then read everything back")
	flag.BoolVar(&o.raw, "raw", false, "then fetch everything and look at batch headers alone")
	flag.BoolVar(&o.keep, "keep", false, "leave the topic")
	flag.StringVar(&o.configs, "configs", "", "of the topic: NAME=VALUE,NAME=VALUE")
	flag.Parse()
	p.Acks = int16(o.acks)
	p.Duration = time.Duration(o.seconds * float64(time.Second))
	return o
}

func run(ctx context.Context) error {
	o := parse()
	for range o.times {
		if err := o.once(ctx); err != nil {
			return err
		}
	}
	return nil
}

// once makes the topic, runs the loads and deletes it.
func (o options) once(ctx context.Context) error {
	if !o.produce.Bare {
		conn, err := wire.Dial(ctx, o.produce.Addr)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		configs := map[string]string{}
		for pair := range strings.SplitSeq(o.configs, ",") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				configs[name] = value
			}
		}
		partitions := int32(o.produce.Connections)
		if err := conn.CreateTopic(ctx, o.produce.Topic, partitions, configs); err != nil {
			return err
		}
		if !o.keep {
			defer func() { _ = conn.DeleteTopic(o.produce.Topic) }()
		}
	}
	got, err := o.produce.Run(ctx)
	show("produce", got)
	if err != nil {
		return err
	}
	if o.consume {
		if err := o.read(ctx, "consume", false); err != nil {
			return err
		}
	}
	if o.raw {
		return o.read(ctx, "fetch", true)
	}
	return nil
}

// read fetches every partition, one after another.
func (o options) read(ctx context.Context, name string, raw bool) error {
	for i := range int32(o.produce.Connections) {
		c := load.DefaultConsume()
		c.Addr, c.Topic, c.Partition, c.Raw = o.produce.Addr, o.produce.Topic, i, raw
		got, err := c.Run(ctx)
		show(name, got)
		if err != nil {
			return err
		}
	}
	return nil
}

func show(name string, r load.Result) {
	fmt.Printf("%-8s %11d records %8.1f MB %6.2f s %9.1f MB/s %10.0f records/s", name, r.Records,
		float64(r.Bytes)/1e6, r.Elapsed.Seconds(), r.BytesPerSecond()/1e6, r.RecordsPerSecond())
	if h := r.Latency; h != nil && h.Count() > 0 {
		fmt.Printf("  p50 %v p99 %v p99.9 %v max %v",
			h.Quantile(0.5), h.Quantile(0.99), h.Quantile(0.999), h.Max())
	}
	fmt.Println()
}
