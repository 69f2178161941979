package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"

	"github.com/varve-log/varve/bench/load"
	"github.com/varve-log/varve/bench/wire"
	"github.com/varve-log/varve/internal/histogram"
)

const (
	// cleanedMB is what there is to clean while latencies are measured, over cleanedParts partitions,
	// each key four times.
	cleanedMB    = 3 << 10
	cleanedParts = 6
	// cleaningRate is the paced load beside it, in records a second.
	cleaningRate = 20_000
	// sampleEvery is how often a fetch is timed.
	sampleEvery = 5 * time.Millisecond
)

// cleaning measures what log cleaning does to the latencies of produce and of fetches.
func (b *bench) cleaning(ctx context.Context) error {
	agent, err := b.agent("cleaning", "--setting", "log.cleaner.backoff.ms=50")
	if err != nil {
		return err
	}
	if err := agent.Start(ctx); err != nil {
		return err
	}
	defer func() {
		_ = agent.Kill()
		_ = os.RemoveAll(b.path("cleaning"))
	}()
	t := target{
		column: colVarve, addr: agent.Bootstrap(), pid: agent.PID(), dir: b.path("cleaning/agent"),
		http: agent.HTTP(), configs: map[string]string{"remote.storage.enable": "false"},
	}
	for round := range b.o.rounds {
		for i := range 2 {
			run := b.notCleaning
			if (i+round)%2 == 1 {
				run = b.whileCleaning
			}
			if err := run(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) notCleaning(ctx context.Context, t target) error {
	begin := func(context.Context) error { return nil }
	if err := b.beside(ctx, t, [2]string{cleanOffProduce, cleanOffFetch}, begin); err != nil {
		return err
	}
	return awaitEmpty(ctx, t.dir)
}

// whileCleaning does the same while there is something to clean for all of the time.
func (b *bench) whileCleaning(ctx context.Context, t target) error {
	topic := b.topic()
	if err := b.dirty(ctx, t, topic); err != nil {
		return err
	}
	before, err := cleaned(ctx, t.http)
	if err != nil {
		return err
	}
	began := time.Time{}
	err = b.beside(ctx, t, [2]string{cleanOnProduce, cleanOnFetch}, func(ctx context.Context) error {
		began = time.Now()
		return alterTopic(ctx, t.addr, topic, "min.cleanable.dirty.ratio", "0")
	})
	if err != nil {
		return err
	}
	during := time.Since(began)
	for { // until the rest is done
		now, err := cleaned(ctx, t.http)
		if err != nil {
			return err
		}
		if took := time.Since(began); now-before >= cleanedParts {
			if took < during+during/4 {
				b.note("cleaning ended %s after the run beside it began, which took %s", took, during)
			}
			speed := float64(cleanedMB<<20) / 1e6 / took.Seconds()
			b.results.add(metric{"cleaning", cleanSpeed}, colVarve, speed)
			break
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	if err := b.deleteTopic(ctx, t.addr, topic); err != nil {
		return err
	}
	return awaitEmpty(ctx, t.dir)
}

// beside runs the paced load, which begin comes just before, and samples fetches of what it writes.
func (b *bench) beside(
	ctx context.Context, t target, names [2]string, begin func(context.Context) error,
) error {
	topic := b.topic()
	if err := createTopic(ctx, t.addr, topic, 1, t.configs); err != nil {
		return err
	}
	p := b.paced(cleaningRate, 1)
	p.Addr, p.Topic = t.addr, topic
	fetches := &histogram.Histogram{}
	unix.Sync() // what was filled in must not be written while it is measured
	m, err := b.timed(ctx, t, func(ctx context.Context) (load.Result, error) {
		if err := begin(ctx); err != nil {
			return load.Result{}, err
		}
		sampling, stop := context.WithCancel(ctx)
		var sampler sync.WaitGroup
		var failed error
		sampler.Go(func() { failed = sampleFetches(sampling, t.addr, topic, fetches) })
		got, err := p.Run(ctx)
		stop()
		sampler.Wait()
		return got, errors.Join(err, failed)
	})
	if err != nil {
		return err
	}
	read := float64(fetches.Quantile(0.99)) / float64(time.Millisecond)
	b.results.add(metric{"cleaning", names[0]}, colVarve, quantile(m, 0.99))
	b.results.add(metric{"cleaning", names[1]}, colVarve, read)
	b.say("  %s %.2f, %s %.2f", names[0], quantile(m, 0.99), names[1], read)
	return b.deleteTopic(ctx, t.addr, topic)
}

// sampleFetches times fetches of 64 KiB at random offsets until ctx ends.
func sampleFetches(
	ctx context.Context, addr, topic string, into *histogram.Histogram,
) error {
	conn, err := wire.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	f := wire.Fetch{Topic: topic, BytesMax: 64 << 10, PartitionBytesMax: 64 << 10}
	end := int64(0)
	for pause(ctx, sampleEvery) == nil {
		start := time.Now()
		if _, end, err = conn.Fetch(f, rand.Int64N(end+1)); err != nil {
			return err
		}
		into.Add(time.Since(start))
	}
	return nil
}

// dirty makes and fills a compacted topic that is not cleaned yet.
func (b *bench) dirty(ctx context.Context, t target, topic string) error {
	err := createTopic(ctx, t.addr, topic, cleanedParts, map[string]string{
		"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1", "segment.bytes": "67108864",
	})
	if err != nil {
		return err
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(t.addr), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(256<<10),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer c.Close()
	value := []byte(strings.Repeat("v", 1000))
	const records = cleanedMB << 10
	var failed error
	var once sync.Once
	for i := range records {
		r := &kgo.Record{
			Key: fmt.Appendf(nil, "key-%08d", i%(records/4)), Value: value,
			Partition: int32(i / 256 % cleanedParts),
		}
		c.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
	}
	if err := errors.Join(c.Flush(ctx), failed); err != nil {
		return fmt.Errorf("fill %s: %w", topic, err)
	}
	return nil
}

// cleaned is how many cleanings an agent's metrics have counted.
func cleaned(ctx context.Context, agent string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, agent+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "varve_clean_cleanings_total "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(errors.New("no count of cleanings in the metrics"), lines.Err())
}

// alterTopic sets one setting.
func alterTopic(ctx context.Context, addr, topic, name, value string) error {
	conn, err := wire.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = name, &value
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	r.Configs = append(r.Configs, c)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	req.Resources = append(req.Resources, r)
	answer, err := conn.Ask(req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode)
}
