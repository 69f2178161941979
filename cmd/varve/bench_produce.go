package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/histogram"
	"github.com/varve-log/varve/internal/progress"
)

const (
	benchNoise     = 1 << 20
	benchValueMax  = 16 << 20
	paceResolution = time.Millisecond
)

func (a *app) benchProduceCommand() *cli.Command {
	return example(&cli.Command{
		Name: "produce", Usage: "append records of random bytes, and measure until they are acked",
		Description: "With --rate, latency counts from when a record was due, not from when it could be " +
			"sent:\na stall shows in every record that it delayed.",
		Flags: append(append([]cli.Flag{
			benchTopicFlag(),
			&cli.Int32Flag{
				Name: "partitions", Value: 6, Usage: "`NUMBER` of partitions if the topic must be made",
			},
			&cli.StringFlag{Name: "size", Value: "1KiB", Usage: "`SIZE` of a record's value"},
			&cli.Float64Flag{Name: "rate", Usage: "`NUMBER` of records a second; 0: as fast as it goes"},
			outputFlag("text", "json"),
		}, benchLengthFlags()...), producerFlags()...),
		Action: a.benchProduce,
	}, `varve bench produce --size 1KiB --records 1000000
varve bench produce --rate 50000 --duration 30s --acks all -o json`)
}

func (a *app) benchProduce(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	output, err := outputOf(cmd, "text", "json")
	if err != nil {
		return err
	}
	load, err := benchLoadOf(cmd)
	if err != nil {
		return err
	}
	opts, err := producerOptions(cmd)
	if err != nil {
		return err
	}
	topic := cmd.String("topic")
	client, err := connect(ctx, cmd, append(opts, kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := ensureTopic(ctx, client, topic, cmd.Int32("partitions")); err != nil {
		return err
	}
	load.client = client
	load.bar = progress.New(a.stderr, progress.Options{
		Verb: "produce", Draw: a.progress, Total: load.length.records,
	})
	began := time.Now()
	err = load.run(ctx)
	took := time.Since(began)
	load.bar.Done()
	result := newBenchResult(topic, load.bar, took)
	result.WantedPerSecond = load.rate
	result.LatencyMilliseconds = latencyOf(&load.latency)
	if err != nil {
		return errors.Join(fmt.Errorf("produce to %q: %w", topic, err), result.write(a.stderr, "text"))
	}
	return result.write(a.stdout, output)
}

// ensureTopic makes a topic unless it is there.
func ensureTopic(ctx context.Context, client *kgo.Client, name string, partitions int32) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, -1
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = adminTimeoutMillis
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kafkaError(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage)
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make topic %q: %w", name, err)
	}
	return nil
}

// benchLoad appends records at a rate.
type benchLoad struct {
	client  *kgo.Client
	bar     *progress.Bar
	latency histogram.Histogram
	length  benchLength
	size    int
	rate    float64 // records a second; 0: no bound
	noise   []byte

	mu     sync.Mutex
	failed error // the first failure
}

func benchLoadOf(cmd *cli.Command) (*benchLoad, error) {
	length, err := benchLengthOf(cmd)
	if err != nil {
		return nil, err
	}
	size, err := bytesOf(cmd, "size")
	if err != nil {
		return nil, err
	}
	if size < 1 || size > benchValueMax {
		return nil, usagef(cmd, "--size %d is out of range", size).withHint("from 1 to 16MiB")
	}
	l := &benchLoad{length: length, size: int(size), rate: cmd.Float64("rate")}
	if l.rate < 0 {
		return nil, usagef(cmd, "--rate %g is below 0", l.rate)
	}
	l.noise = make([]byte, benchNoise+l.size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range l.noise {
		l.noise[i] = byte(random.Uint32())
	}
	return l, nil
}

// run appends and waits until all is acked.
func (l *benchLoad) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	var sent int64
	for ctx.Err() == nil && !l.ended(sent, began) {
		due := l.due(sent, began)
		for ; due > 0; due-- {
			l.send(ctx, l.intended(sent, began), cancel)
			sent++
		}
		if l.rate > 0 {
			waitUntil(ctx, l.intended(sent, began))
		}
	}
	flushErr := l.client.Flush(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	return flushErr
}

func (l *benchLoad) ended(sent int64, began time.Time) bool {
	return l.length.records > 0 && sent >= l.length.records ||
		l.length.duration > 0 && time.Since(began) >= l.length.duration
}

// due is how many records are to be sent now.
func (l *benchLoad) due(sent int64, began time.Time) int64 {
	due := int64(64)
	if l.rate > 0 {
		due = int64(time.Since(began).Seconds()*l.rate) + 1 - sent
	}
	if l.length.records > 0 {
		due = min(due, l.length.records-sent)
	}
	return due
}

// intended is when record number n is to be sent.
func (l *benchLoad) intended(n int64, began time.Time) time.Time {
	if l.rate == 0 {
		return time.Now()
	}
	return began.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
}

func (l *benchLoad) send(ctx context.Context, intended time.Time, cancel context.CancelCauseFunc) {
	at := rand.IntN(benchNoise)
	r := &kgo.Record{Value: l.noise[at : at+l.size]}
	l.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err != nil {
			l.mu.Lock()
			if l.failed == nil {
				l.failed = err
			}
			l.mu.Unlock()
			cancel(err)
			return
		}
		l.latency.Add(time.Since(intended))
		l.bar.Add(1, int64(len(r.Value)))
	})
}

// waitUntil waits for a moment, not more exactly than timers go.
func waitUntil(ctx context.Context, at time.Time) {
	wait := time.Until(at)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(max(wait, paceResolution))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
