// Command confluent runs the written scenarios with confluent-kafka-go, which is librdkafka behind
// cgo. It translates and nothing else: the steps and their measure are in package driver.
//
// COMPAT_DEBUG names contexts of librdkafka's own log (broker, cgrp, eos, ...), which goes to stderr.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

const (
	pollMillis = 100
	callTime   = 20 * time.Second
)

func main() {
	os.Exit(driver.Run("confluent-kafka-go", "github.com/confluentinc/confluent-kafka-go/v2", func(
		bootstrap string,
	) (driver.Client, error) {
		c := &client{bootstrap: bootstrap}
		a, err := kafka.NewAdminClient(c.config())
		c.admin = a
		return c, err
	}))
}

type client struct {
	bootstrap string
	admin     *kafka.AdminClient
}

// config holds names and values given in turn.
func (c *client) config(more ...any) *kafka.ConfigMap {
	m := &kafka.ConfigMap{"bootstrap.servers": c.bootstrap}
	if debug := os.Getenv("COMPAT_DEBUG"); debug != "" {
		_ = m.SetKey("debug", debug)
	}
	for i := 0; i < len(more); i += 2 {
		_ = m.SetKey(more[i].(string), more[i+1])
	}
	return m
}

func (c *client) Create(
	ctx context.Context, topic string, partitions int, settings map[string]string,
) error {
	results, err := c.admin.CreateTopics(ctx, []kafka.TopicSpecification{
		{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1, Config: settings},
	})
	return topicError(results, err)
}

// topicError is the error of a call for one topic.
func topicError(results []kafka.TopicResult, err error) error {
	if err != nil {
		return err
	}
	if e := results[0].Error; e.Code() != kafka.ErrNoError {
		return e
	}
	return nil
}

func (c *client) Produce(_ context.Context, p driver.Produce) (int64, error) {
	cfg := c.config("compression.type", p.Codec, "enable.idempotence", p.Idempotent, "acks", "all")
	if p.BatchRecords > 0 {
		_ = cfg.SetKey("batch.num.messages", p.BatchRecords)
	}
	if p.BytesMax > 0 {
		_ = cfg.SetKey("message.max.bytes", p.BytesMax)
	}
	producer, err := kafka.NewProducer(cfg)
	if err != nil {
		return 0, err
	}
	defer producer.Close()
	return send(producer, p.Topic, p.Records)
}

// send waits for all records, and returns the last offset.
func send(producer *kafka.Producer, topic string, records []driver.Record) (int64, error) {
	delivered := make(chan kafka.Event, len(records))
	for _, r := range records {
		m := &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: r.Partition},
			Key:            r.Key, Value: r.Value, Timestamp: r.Timestamp,
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
		if err := producer.Produce(m, delivered); err != nil {
			return 0, err
		}
	}
	last := int64(-1)
	for range records {
		m := (<-delivered).(*kafka.Message)
		if m.TopicPartition.Error != nil {
			return 0, m.TopicPartition.Error
		}
		last = max(last, int64(m.TopicPartition.Offset))
	}
	return last, nil
}

func (c *client) Read(ctx context.Context, r driver.Read) ([]driver.Record, error) {
	isolation := "read_uncommitted"
	if r.Committed {
		isolation = "read_committed"
	}
	cfg := c.config("group.id", "unused", "enable.auto.commit", false, "isolation.level", isolation,
		"fetch.wait.max.ms", 100, "auto.offset.reset", "error")
	if r.FetchBytes > 0 {
		_ = cfg.SetKey("max.partition.fetch.bytes", r.FetchBytes)
	}
	consumer, err := kafka.NewConsumer(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { _ = consumer.Close() }()
	at := kafka.TopicPartition{Topic: &r.Topic, Partition: r.Partition, Offset: kafka.Offset(r.From)}
	if err := consumer.Assign([]kafka.TopicPartition{at}); err != nil {
		return nil, err
	}
	return driver.Collect(ctx, r, func(context.Context) ([]driver.Record, error) {
		switch e := consumer.Poll(pollMillis).(type) {
		case *kafka.Message:
			d := driver.Record{
				Partition: e.TopicPartition.Partition, Offset: int64(e.TopicPartition.Offset),
				Timestamp: e.Timestamp, Key: e.Key, Value: e.Value,
			}
			for _, h := range e.Headers {
				d.Headers = append(d.Headers, driver.Header{Key: h.Key, Value: h.Value})
			}
			return []driver.Record{d}, e.TopicPartition.Error
		case kafka.Error:
			return nil, e
		}
		return nil, nil
	})
}

func (c *client) OffsetFor(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	tp := kafka.TopicPartition{Topic: &topic, Partition: partition}
	// The map's key holds the pointer, so that the answer is found by looking at all of one.
	resp, err := c.admin.ListOffsets(
		ctx, map[kafka.TopicPartition]kafka.OffsetSpec{tp: kafka.OffsetSpec(at)},
	)
	if err != nil {
		return 0, err
	}
	for _, info := range resp.ResultInfos {
		if info.Error.Code() != kafka.ErrNoError {
			return 0, info.Error
		}
		return int64(info.Offset), nil
	}
	return 0, errors.New("no answer for the partition")
}

func (c *client) Partitions(_ context.Context, topic string) (n, led int, err error) {
	m, err := c.admin.GetMetadata(&topic, false, int(callTime.Milliseconds()))
	if err != nil {
		return 0, 0, err
	}
	for _, p := range m.Topics[topic].Partitions {
		n++
		if p.Leader >= 0 && p.Error.Code() == kafka.ErrNoError {
			led++
		}
	}
	return n, led, nil
}

func (c *client) Code(err error) string {
	var e kafka.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Code() {
	case kafka.ErrTopicAlreadyExists:
		return driver.CodeExists
	case kafka.ErrMsgSizeTooLarge:
		return driver.CodeTooLarge
	case kafka.ErrFenced, kafka.ErrInvalidProducerEpoch:
		return driver.CodeFenced
	}
	return ""
}

// Transact is a transactional Producer.
func (c *client) Transact(ctx context.Context, id string) (driver.Transaction, error) {
	producer, err := kafka.NewProducer(c.config("transactional.id", id))
	if err != nil {
		return nil, err
	}
	if err := producer.InitTransactions(ctx); err != nil {
		producer.Close()
		return nil, err
	}
	return transaction{producer}, nil
}

type transaction struct{ p *kafka.Producer }

func (t transaction) Begin(context.Context) error { return t.p.BeginTransaction() }

func (t transaction) Send(_ context.Context, topic string, records []driver.Record) error {
	_, err := send(t.p, topic, records)
	if fatal := t.p.GetFatalError(); fatal != nil {
		return fatal // the records' own error says only that they were purged
	}
	return err
}

func (
	t transaction,
) Offset(ctx context.Context, group, topic string, partition int32, offset int64) error {
	of, err := kafka.NewTestConsumerGroupMetadata(group)
	if err != nil {
		return err
	}
	at := kafka.TopicPartition{Topic: &topic, Partition: partition, Offset: kafka.Offset(offset)}
	return t.p.SendOffsetsToTransaction(ctx, []kafka.TopicPartition{at}, of)
}

func (t transaction) Commit(ctx context.Context) error { return t.p.CommitTransaction(ctx) }

func (t transaction) Abort(ctx context.Context) error { return t.p.AbortTransaction(ctx) }

func (t transaction) Close() { t.p.Close() }

func (c *client) Member(ctx context.Context, m driver.Member, e *driver.Events) error {
	cfg := c.config("group.id", m.Group, "client.id", m.ClientID, "enable.auto.commit", false,
		"auto.offset.reset", "earliest", "fetch.wait.max.ms", 200,
		"max.poll.interval.ms", driver.RebalanceMillis)
	if m.Consumer {
		_ = cfg.SetKey("group.protocol", "consumer")
	} else {
		strategy := map[bool]string{false: "range", true: "cooperative-sticky"}[m.Cooperative]
		_ = cfg.SetKey("partition.assignment.strategy", strategy)
		_ = cfg.SetKey("session.timeout.ms", driver.SessionMillis)
		_ = cfg.SetKey("heartbeat.interval.ms", driver.HeartbeatMillis)
	}
	if m.Instance != "" {
		_ = cfg.SetKey("group.instance.id", m.Instance)
	}
	consumer, err := kafka.NewConsumer(cfg)
	if err != nil {
		return err
	}
	err = consumer.Subscribe(m.Topic, func(_ *kafka.Consumer, event kafka.Event) error {
		switch event := event.(type) {
		case kafka.AssignedPartitions:
			e.Gain(numbers(event.Partitions))
		case kafka.RevokedPartitions:
			e.Lose(numbers(event.Partitions))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		switch event := consumer.Poll(pollMillis).(type) {
		case *kafka.Message:
			e.Record(event.TopicPartition.Partition, int64(event.TopicPartition.Offset), event.Value)
			if _, err := consumer.CommitMessage(event); err != nil {
				fmt.Fprintln(os.Stderr, "commit:", err)
			}
		case kafka.Error:
			if event.IsFatal() {
				return event
			}
			fmt.Fprintln(os.Stderr, event)
		}
	}
	return consumer.Close()
}

func numbers(partitions []kafka.TopicPartition) []int32 {
	var all []int32
	for _, p := range partitions {
		all = append(all, p.Partition)
	}
	slices.Sort(all)
	return all
}
