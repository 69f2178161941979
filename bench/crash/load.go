package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	producers = 3
	// inFlightMax bounds the records of a producer that are not acked.
	inFlightMax = 500
	valueBytes  = 600
	adminTime   = 30 * time.Second
	// A producer sends burst records each pace at most, 3,000/s: a faster load only makes the reads
	// after each round longer.
	pace  = 10 * time.Millisecond
	burst = 30
)

// topicConfigs make small segments that are sealed and released all the time.
var topicConfigs = map[string]string{
	"segment.bytes": "1048576", "local.retention.bytes": "2097152", "retention.ms": "-1",
	"varve.seal.max.age.ms": "1000",
}

func createTopic(ctx context.Context, bootstrap string) error {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, -1
	for name, value := range topicConfigs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("create topic: %w", err)
	}
	return kerr.ErrorForCode(res.Topics[0].ErrorCode)
}

// load is a set of producers that never stop on their own.
type load struct {
	book    *book
	clients []*kgo.Client
	cancel  context.CancelFunc
	group   sync.WaitGroup
	once    sync.Once

	mu     sync.Mutex
	paused chan struct{} // not nil while paused; closed by resume
}

func startLoad(bootstrap string, b *book) (*load, error) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{book: b, cancel: cancel}
	for i := range producers {
		client, err := kgo.NewClient(
			kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic),
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()),
			kgo.MaxBufferedRecords(inFlightMax), kgo.ProducerLinger(time.Millisecond),
			kgo.ProducerBatchMaxBytes(16<<10), kgo.RetryBackoffFn(func(int) time.Duration {
				return 20 * time.Millisecond
			}), kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(-1),
		)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.clients = append(l.clients, client)
		if err := l.begin(ctx, i, client); err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.group.Go(func() { l.produce(ctx, i, client) })
	}
	return l, nil
}

// begin has one record acked before any kill: the client takes a connection that breaks before its
// first answer for a lack of authentication, and gives up where it has no producer id yet.
func (l *load) begin(ctx context.Context, producer int, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	id := fmt.Sprintf("%d-first", producer)
	r, err := client.ProduceSync(ctx, &kgo.Record{Key: []byte(id)}).First()
	if err != nil {
		return fmt.Errorf("produce the first record: %w", err)
	}
	l.book.ack(id, place{r.Partition, r.Offset})
	return nil
}

// produce sends records with ids that never repeat, each to a partition by turns.
func (l *load) produce(ctx context.Context, producer int, client *kgo.Client) {
	padding := make([]byte, valueBytes)
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		if n%burst == 0 {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		if !l.awaitResume(ctx) {
			return
		}
		id := fmt.Sprintf("%d-%d", producer, n)
		r := &kgo.Record{
			Key: []byte(id), Value: padding, Partition: int32(n/7) % partitions,
		}
		client.Produce(ctx, r, func(r *kgo.Record, err error) {
			switch {
			case err == nil:
				l.book.ack(id, place{r.Partition, r.Offset})
			case ctx.Err() == nil:
				l.book.fail(fmt.Errorf("produce of record %s to partition %d failed: %w",
					id, r.Partition, err))
			}
		})
	}
}

func (l *load) awaitResume(ctx context.Context) bool {
	l.mu.Lock()
	paused := l.paused
	l.mu.Unlock()
	if paused == nil {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-paused:
		return true
	}
}

// pause stops producing and waits until everything sent is acked.
func (l *load) pause(ctx context.Context) error {
	l.mu.Lock()
	if l.paused == nil {
		l.paused = make(chan struct{})
	}
	l.mu.Unlock()
	for _, c := range l.clients {
		if err := c.Flush(ctx); err != nil {
			return fmt.Errorf("flush before a stop: %w", err)
		}
	}
	return nil
}

func (l *load) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.paused != nil {
		close(l.paused)
		l.paused = nil
	}
}

// close lets what was sent be acked and ends the producers.
func (l *load) close() error {
	var err error
	l.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), adminTime)
		defer cancel()
		err = l.pause(ctx)
		l.cancel()
		l.resume()
		l.group.Wait()
		for _, c := range l.clients {
			c.Close()
		}
	})
	return err
}
