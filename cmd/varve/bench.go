package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/histogram"
	"github.com/varve-log/varve/internal/progress"
	"github.com/varve-log/varve/internal/render"
)

func (a *app) benchCommand() *cli.Command {
	return example(noun("bench", "measure an agent, or any Kafka broker",
		a.benchProduceCommand(), a.benchConsumeCommand(),
	), "varve bench produce --records 1000000 --size 1KiB\nvarve bench consume --duration 10s")
}

func benchTopicFlag() cli.Flag {
	return &cli.StringFlag{Name: "topic", Value: "varve-bench", Usage: "`TOPIC` to use"}
}

func benchLengthFlags() []cli.Flag {
	return []cli.Flag{
		&cli.Int64Flag{Name: "records", Usage: "end after this `NUMBER` of records"},
		&cli.DurationFlag{
			Name: "duration", DefaultText: "10s unless --records", Usage: "end after this `TIME`",
		},
	}
}

// benchLength is when a measurement ends: whichever comes first of what is not 0.
type benchLength struct {
	records  int64
	duration time.Duration
}

func benchLengthOf(cmd *cli.Command) (benchLength, error) {
	l := benchLength{records: cmd.Int64("records"), duration: cmd.Duration("duration")}
	if l.records < 0 || l.duration < 0 {
		return l, usagef(cmd, "--records and --duration must not be below 0")
	}
	if l.records == 0 && l.duration == 0 {
		l.duration = 10 * time.Second
	}
	return l, nil
}

// benchResult is what was measured. Latencies are in milliseconds.
type benchResult struct {
	Topic               string        `json:"topic"`
	Records             int64         `json:"records"`
	Bytes               int64         `json:"bytes"`
	Seconds             float64       `json:"seconds"`
	RecordsPerSecond    float64       `json:"records_per_second"`
	MegabytesPerSecond  float64       `json:"megabytes_per_second"`
	WantedPerSecond     float64       `json:"wanted_per_second,omitempty"`
	LatencyMilliseconds *benchLatency `json:"latency_ms,omitempty"`
}

type benchLatency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

func latencyOf(h *histogram.Histogram) *benchLatency {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &benchLatency{
		Mean: ms(h.Mean()), P50: ms(h.Quantile(0.50)), P95: ms(h.Quantile(0.95)),
		P99: ms(h.Quantile(0.99)), P999: ms(h.Quantile(0.999)), Max: ms(h.Max()),
	}
}

func newBenchResult(topic string, bar *progress.Bar, took time.Duration) benchResult {
	records, bytes := bar.Totals()
	seconds := max(took.Seconds(), 1e-9)
	return benchResult{
		Topic: topic, Records: records, Bytes: bytes, Seconds: seconds,
		RecordsPerSecond:   float64(records) / seconds,
		MegabytesPerSecond: float64(bytes) / 1e6 / seconds,
	}
}

func (r benchResult) write(w io.Writer, output string) error {
	if output == "json" {
		return render.JSON(w, r)
	}
	_, err := fmt.Fprintf(w, "%s records, %s in %.1f s: %s records/s, %.1f MB/s\n",
		render.Count(r.Records), render.Bytes(r.Bytes), r.Seconds,
		render.Count(int64(r.RecordsPerSecond)), r.MegabytesPerSecond)
	if l := r.LatencyMilliseconds; l != nil && err == nil {
		_, err = fmt.Fprintf(w,
			"latency ms: mean %.2f  p50 %.2f  p95 %.2f  p99 %.2f  p99.9 %.2f  max %.2f\n",
			l.Mean, l.P50, l.P95, l.P99, l.P999, l.Max)
	}
	return err
}

func (a *app) benchConsumeCommand() *cli.Command {
	return example(&cli.Command{
		Name: "consume", Usage: "read a topic from its start, as fast as it comes",
		Flags: append([]cli.Flag{
			benchTopicFlag(), bootstrapFlag(), outputFlag("text", "json"),
		}, benchLengthFlags()...),
		Action: a.benchConsume,
	}, "varve bench consume --topic varve-bench --records 1000000")
}

func (a *app) benchConsume(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	output, err := outputOf(cmd, "text", "json")
	if err != nil {
		return err
	}
	length, err := benchLengthOf(cmd)
	if err != nil {
		return err
	}
	topic := cmd.String("topic")
	client, err := connect(ctx, cmd, kgo.FetchMaxBytes(consumeFetchBytes),
		kgo.FetchMaxPartitionBytes(consumePartitionBytes),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := oneTopic(ctx, client, topic); err != nil {
		return err
	}
	began := time.Now()
	bar := progress.New(a.stderr, progress.Options{
		Verb: "consume", Draw: a.progress, Total: length.records,
	})
	err = countFetched(ctx, client, length, bar.Add)
	took := time.Since(began)
	bar.Done()
	if err != nil {
		return fmt.Errorf("consume %q: %w", topic, err)
	}
	return newBenchResult(topic, bar, took).write(a.stdout, output)
}

// countFetched polls until the length is reached; add is told what came.
func countFetched(
	ctx context.Context, client *kgo.Client, length benchLength, add func(records, bytes int64),
) error {
	poll := ctx
	if length.duration > 0 {
		var cancel context.CancelFunc
		poll, cancel = context.WithTimeout(ctx, length.duration)
		defer cancel()
	}
	var total int64
	for length.records == 0 || total < length.records {
		fetches := client.PollFetches(poll)
		var records, bytes int64
		fetches.EachRecord(func(r *kgo.Record) {
			records++
			bytes += int64(len(r.Key) + len(r.Value))
		})
		add(records, bytes)
		total += records
		if poll.Err() != nil {
			return ctx.Err()
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("partition %d: %w", e.Partition, e.Err)
		}
	}
	return nil
}
