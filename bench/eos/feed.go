package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	adminTime = time.Minute
	// The feeder sends burst records each pace: 1,000/s, so that the workers keep up with it.
	pace  = 20 * time.Millisecond
	burst = 20
)

// agentArgs let dead members and transactions go soon.
var agentArgs = []string{
	"--setting", "group.initial.rebalance.delay.ms=0",
	"--setting", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500",
}

// topicConfigs make small segments that are sealed and released all the time.
var topicConfigs = map[string]string{
	"internal.segment.bytes": "65536", "local.retention.bytes": "131072", "retention.ms": "-1",
	"varve.seal.max.age.ms": "1000",
}

func createTopics(ctx context.Context, bootstrap string) error {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range []string{input, output} {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, -1
		for name, value := range topicConfigs {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = name, &value
			t.Configs = append(t.Configs, c)
		}
		req.Topics = append(req.Topics, t)
	}
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	for _, t := range res.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("create topic %s: %w", t.Topic, err)
		}
	}
	return nil
}

// feed writes the numbers from 0 on to the input, idempotently, until it is finished.
type feed struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	sent   int
	failed error
}

func startFeed(bootstrap string) (*feed, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(input),
		kgo.MaxBufferedRecords(500), kgo.ProducerLinger(time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(-1),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &feed{client: client, cancel: cancel}
	if err := f.first(ctx); err != nil {
		f.close()
		return nil, err
	}
	f.done.Go(func() { f.run(ctx) })
	return f, nil
}

// first gets the producer id before anything is killed: a client gives up where it has none.
func (f *feed) first(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	if err := f.client.ProduceSync(ctx, f.next()).FirstErr(); err != nil {
		return fmt.Errorf("feed the first record: %w", err)
	}
	return nil
}

func (f *feed) next() *kgo.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent++
	return &kgo.Record{Key: []byte(strconv.Itoa(f.sent - 1)), Value: make([]byte, 200)}
}

func (f *feed) run(ctx context.Context) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for range burst {
			f.client.Produce(context.Background(), f.next(), func(_ *kgo.Record, err error) {
				if err != nil {
					f.mu.Lock()
					f.failed = err
					f.mu.Unlock()
				}
			})
		}
	}
}

// finish ends the feeding and gives the number of records that are in the input.
func (f *feed) finish(ctx context.Context) (int, error) {
	f.cancel()
	f.done.Wait()
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	if err := f.client.Flush(ctx); err != nil {
		return 0, fmt.Errorf("finish the feed: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed != nil {
		return 0, fmt.Errorf("feed: %w", f.failed)
	}
	return f.sent, nil
}

func (f *feed) close() {
	f.cancel()
	f.done.Wait()
	f.client.Close()
}
