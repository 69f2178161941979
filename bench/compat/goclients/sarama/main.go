// Command sarama runs the written scenarios with sarama (github.com/IBM/sarama), as its newest
// protocol version. It translates and nothing else: the steps and their measure are in package
// driver.
//
// A member prints what it owns as its claims begin and end, which is right for sarama's eager and
// cooperative sessions alike.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

func main() {
	os.Exit(driver.Run("sarama", "github.com/IBM/sarama", func(bootstrap string) (driver.Client, error) {
		return &client{[]string{bootstrap}}, nil
	}))
}

type client struct{ brokers []string }

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	return c
}

// admin runs f with an admin client of its own.
func (c *client) admin(f func(sarama.ClusterAdmin) error) error {
	a, err := sarama.NewClusterAdmin(c.brokers, config())
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	return f(a)
}

func (c *client) Create(
	_ context.Context, topic string, partitions int, settings map[string]string,
) error {
	detail := &sarama.TopicDetail{
		NumPartitions: int32(partitions), ReplicationFactor: 1, ConfigEntries: map[string]*string{},
	}
	for name, value := range settings {
		detail.ConfigEntries[name] = &value
	}
	return c.admin(func(a sarama.ClusterAdmin) error { return a.CreateTopic(topic, detail, false) })
}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

func (c *client) Produce(_ context.Context, p driver.Produce) (int64, error) {
	cfg := config()
	cfg.Producer.Compression = codecs[p.Codec]
	if p.Idempotent {
		cfg.Producer.Idempotent = true
		cfg.Net.MaxOpenRequests = 1 // sarama demands it
	}
	if p.BatchRecords > 0 {
		cfg.Producer.Flush.MaxMessages = p.BatchRecords
	}
	if p.BytesMax > 0 {
		cfg.Producer.MaxMessageBytes = p.BytesMax
	}
	producer, err := sarama.NewSyncProducer(c.brokers, cfg)
	if err != nil {
		return 0, err
	}
	defer func() { _ = producer.Close() }()
	ms := messages(p.Topic, p.Records)
	if err := producer.SendMessages(ms); err != nil {
		return 0, firstOf(err)
	}
	return ms[len(ms)-1].Offset, nil
}

// firstOf unwraps the first of sarama's list of errors.
func firstOf(err error) error {
	var all sarama.ProducerErrors
	if errors.As(err, &all) && len(all) > 0 {
		return fmt.Errorf("%d records: %w", len(all), all[0].Err)
	}
	return err
}

func messages(topic string, records []driver.Record) []*sarama.ProducerMessage {
	var out []*sarama.ProducerMessage
	for _, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Partition: r.Partition, Timestamp: r.Timestamp}
		if r.Key != nil {
			m.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			m.Value = sarama.ByteEncoder(r.Value)
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		out = append(out, m)
	}
	return out
}

func (c *client) Read(ctx context.Context, r driver.Read) ([]driver.Record, error) {
	cfg := config()
	cfg.Consumer.Return.Errors = true
	if r.Committed {
		cfg.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	if r.FetchBytes > 0 {
		cfg.Consumer.Fetch.Default = int32(r.FetchBytes)
	}
	consumer, err := sarama.NewConsumer(c.brokers, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = consumer.Close() }()
	part, err := consumer.ConsumePartition(r.Topic, r.Partition, r.From)
	if err != nil {
		return nil, err
	}
	defer part.AsyncClose()
	return driver.Collect(ctx, r, func(ctx context.Context) ([]driver.Record, error) {
		select {
		case m := <-part.Messages():
			return []driver.Record{record(m)}, nil
		case err := <-part.Errors():
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

func record(m *sarama.ConsumerMessage) driver.Record {
	d := driver.Record{
		Partition: m.Partition, Offset: m.Offset, Timestamp: m.Timestamp, Key: m.Key, Value: m.Value,
	}
	for _, h := range m.Headers {
		d.Headers = append(d.Headers, driver.Header{Key: string(h.Key), Value: h.Value})
	}
	return d
}

func (c *client) OffsetFor(_ context.Context, topic string, partition int32, at int64) (int64, error) {
	cl, err := sarama.NewClient(c.brokers, config())
	if err != nil {
		return 0, err
	}
	defer func() { _ = cl.Close() }()
	return cl.GetOffset(topic, partition, at)
}

func (c *client) Partitions(_ context.Context, topic string) (n, led int, err error) {
	err = c.admin(func(a sarama.ClusterAdmin) error {
		topics, err := a.DescribeTopics([]string{topic})
		if err != nil {
			return err
		}
		for _, p := range topics[0].Partitions {
			n++
			if p.Leader >= 0 && p.Err == sarama.ErrNoError {
				led++
			}
		}
		return nil
	})
	return n, led, err
}

func (c *client) Code(err error) string {
	switch {
	case errors.Is(err, sarama.ErrTopicAlreadyExists):
		return driver.CodeExists
	case errors.Is(err, sarama.ErrMessageSizeTooLarge):
		return driver.CodeTooLarge
	case errors.Is(err, sarama.ErrInvalidProducerEpoch), errors.Is(err, sarama.ErrProducerFenced):
		return driver.CodeFenced
	}
	return ""
}

// Transact is the library's transactional SyncProducer.
func (c *client) Transact(_ context.Context, id string) (driver.Transaction, error) {
	cfg := config()
	cfg.Producer.Idempotent = true
	cfg.Net.MaxOpenRequests = 1
	cfg.Producer.Transaction.ID = id
	cfg.Producer.Transaction.Timeout = time.Minute
	producer, err := sarama.NewSyncProducer(c.brokers, cfg)
	if err != nil {
		return nil, err
	}
	return transaction{producer}, nil
}

type transaction struct{ p sarama.SyncProducer }

func (t transaction) Begin(context.Context) error { return t.p.BeginTxn() }

func (t transaction) Send(_ context.Context, topic string, records []driver.Record) error {
	return firstOf(t.p.SendMessages(messages(topic, records)))
}

func (
	t transaction,
) Offset(_ context.Context, group, topic string, partition int32, offset int64) error {
	at := map[string][]*sarama.PartitionOffsetMetadata{
		topic: {{Partition: partition, Offset: offset, LeaderEpoch: -1}},
	}
	return t.p.AddOffsetsToTxn(at, group)
}

func (t transaction) Commit(context.Context) error { return t.p.CommitTxn() }

func (t transaction) Abort(context.Context) error { return t.p.AbortTxn() }

func (t transaction) Close() { _ = t.p.Close() }
