package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/progress"
	"github.com/varve-log/varve/internal/render"
)

const (
	// produceBufferedRecords and produceBufferedBytes bound what waits for an answer.
	produceBufferedRecords = 200_000
	produceBufferedBytes   = 128 << 20
	progressEvery          = 1024
)

func (a *app) produceCommand() *cli.Command {
	return example(&cli.Command{
		Name: "produce", Usage: "append lines of stdin, or rows of a file, to a topic",
		ArgsUsage: "TOPIC",
		Description: "Each line of stdin is a record's value. With --file each row becomes a JSON " +
			"object, whose\nkey and timestamp are taken from columns.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{
				Name: "key-separator", Usage: "`TEXT` between a line's key and its value",
			},
			&cli.StringFlag{Name: "file", Usage: "`PATH` of rows: .ndjson, .csv or .parquet; - for stdin"},
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of --file: ndjson, csv, parquet"},
			&cli.StringFlag{Name: "key", Usage: "`COLUMN` of the rows that is the key"},
			&cli.StringFlag{Name: "timestamp", Usage: "`COLUMN` of the rows that is the timestamp"},
			&cli.Int32Flag{
				Name: "partition", Value: -1, DefaultText: "by key",
				Usage: "`NUMBER` of the partition to append to",
			},
			outputFlag("text", "json"),
		}, producerFlags()...),
		Action: a.produce,
	}, `echo hello | varve produce greetings
printf 'k1=v1\nk2=v2\n' | varve produce pairs --key-separator =
varve produce flights --file flights.parquet --key origin --timestamp date`)
}

// producerFlags are the settings that produce and bench share.
func producerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "acks", Value: "all", Usage: "`WHO` must have it: 0, 1, all"},
		&cli.StringFlag{
			Name: "codec", Value: "none", Usage: "`CODEC` of batches: none, gzip, snappy, lz4, zstd",
		},
		&cli.StringFlag{Name: "batch", Value: "1MiB", Usage: "largest `SIZE` of a batch"},
		&cli.DurationFlag{
			Name: "linger", Value: 5 * time.Millisecond, Usage: "`TIME` to wait for a batch to fill",
		},
		bootstrapFlag(),
	}
}

// producerOptions turns producerFlags into options of the client.
func producerOptions(cmd *cli.Command) ([]kgo.Opt, error) {
	acks, err := oneOf(cmd, "acks", "all", "1", "0")
	if err != nil {
		return nil, err
	}
	codec, err := oneOf(cmd, "codec", "none", "gzip", "snappy", "lz4", "zstd")
	if err != nil {
		return nil, err
	}
	batch, err := bytesOf(cmd, "batch")
	if err != nil {
		return nil, err
	}
	if batch < 1024 || batch > 64<<20 {
		return nil, usagef(cmd, "--batch %d is out of range", batch).withHint("from 1KiB to 64MiB")
	}
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	opts := []kgo.Opt{
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerBatchMaxBytes(int32(batch)),
		kgo.BrokerMaxWriteBytes(int32(max(100<<20, batch+1<<20))),
		kgo.ProducerLinger(cmd.Duration("linger")),
		kgo.MaxBufferedRecords(produceBufferedRecords),
		kgo.MaxBufferedBytes(produceBufferedBytes),
	}
	switch acks {
	case "all":
		opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	}
	return opts, nil
}

// produceSummary is what was appended.
type produceSummary struct {
	Topic            string  `json:"topic"`
	Records          int64   `json:"records"`
	Bytes            int64   `json:"bytes"`
	Seconds          float64 `json:"seconds"`
	RecordsPerSecond float64 `json:"records_per_second"`
}

func (a *app) produce(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	output, err := outputOf(cmd, "text", "json")
	if err != nil {
		return err
	}
	opts, err := producerOptions(cmd)
	if err != nil {
		return err
	}
	if cmd.Int32("partition") >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	source, err := a.openSource(cmd)
	if err != nil {
		return err
	}
	defer source.close()
	client, err := connect(ctx, cmd, append(opts, kgo.DefaultProduceTopic(args[0]))...)
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := oneTopic(ctx, client, args[0]); err != nil {
		return err
	}
	began := time.Now()
	bar := progress.New(a.stderr, progress.Options{
		Verb: "produce", Draw: a.progress, Part: source.part,
	})
	p := &producing{client: client, source: source, bar: bar, partition: cmd.Int32("partition")}
	err = p.run(ctx)
	bar.Done()
	records, bytes := bar.Totals()
	took := time.Since(began)
	summary := produceSummary{
		Topic: args[0], Records: records, Bytes: bytes, Seconds: took.Seconds(),
		RecordsPerSecond: float64(records) / max(took.Seconds(), 1e-9),
	}
	if output == "json" {
		err = errors.Join(err, render.JSON(a.stdout, summary))
	}
	fmt.Fprintf(a.stderr, "appended %s (%s) to %s in %s, %s records/s\n",
		countOf(records, "record"), render.Bytes(bytes), args[0], render.Seconds(took),
		render.Count(int64(summary.RecordsPerSecond)))
	if err != nil {
		return fmt.Errorf("produce to %q: %w", args[0], err)
	}
	return nil
}

// producing is one run: the reader feeds the client, whose promises count what was acked.
type producing struct {
	client    *kgo.Client
	source    recordSource
	bar       *progress.Bar
	partition int32
	slab      slab

	mu     sync.Mutex
	failed error // the first failure; the run ends with it
}

func (p *producing) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	promise := func(r *kgo.Record, err error) {
		if err != nil {
			p.fail(err, cancel)
			return
		}
		p.bar.Add(1, int64(len(r.Key)+len(r.Value)))
	}
	var readErr error
	for ctx.Err() == nil {
		record := p.slab.record()
		if readErr = p.source.next(record, &p.slab); readErr != nil {
			break
		}
		record.Partition = p.partition
		p.client.Produce(ctx, record, promise)
	}
	// What was read is appended also when the next row cannot be.
	flushErr := p.client.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.failed != nil:
		return p.failed
	case readErr != nil && !errors.Is(readErr, io.EOF):
		return readErr
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return flushErr
}

func (p *producing) fail(err error, cancel context.CancelCauseFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = err
	}
	cancel(err)
}
