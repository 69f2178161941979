// Command segmentio runs the written scenarios with github.com/segmentio/kafka-go. It translates and
// nothing else: the steps and their measure are in package driver.
//
// The library writes no producer ids, so that it has neither idempotent nor transactional writers,
// although it has the single calls of the transaction protocol.
package main

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

func main() {
	os.Exit(driver.Run("segmentio/kafka-go", "github.com/segmentio/kafka-go", func(
		bootstrap string,
	) (driver.Client, error) {
		addr, err := net.ResolveTCPAddr("tcp", bootstrap)
		if err != nil {
			return nil, err
		}
		return &client{bootstrap, &kafka.Client{Addr: addr, Timeout: 30 * time.Second}}, nil
	}))
}

type client struct {
	bootstrap string
	c         *kafka.Client
}

// Blind says that the reader makes nil of what is empty.
func (c *client) Blind() {}

func (c *client) Create(
	ctx context.Context, topic string, partitions int, settings map[string]string,
) error {
	config := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}
	for name, value := range settings {
		config.ConfigEntries = append(
			config.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value},
		)
	}
	resp, err := c.c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}})
	if err != nil {
		return err
	}
	return resp.Errors[topic]
}

var codecs = map[string]kafka.Compression{
	"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

// Produce uses the library's Writer, and its Client call where the offset matters.
func (c *client) Produce(ctx context.Context, p driver.Produce) (int64, error) {
	if p.Idempotent {
		return 0, driver.Absent("idempotent producer")
	}
	if len(p.Records) == 1 {
		return c.produceOne(ctx, p)
	}
	w := &kafka.Writer{
		Addr: c.c.Addr, Topic: p.Topic, RequiredAcks: kafka.RequireAll, Compression: codecs[p.Codec],
		BatchTimeout: 10 * time.Millisecond, BatchSize: max(p.BatchRecords, 1000),
		Balancer: kafka.BalancerFunc(func(m kafka.Message, _ ...int) int { return m.WriterData.(int) }),
	}
	if p.BatchRecords > 0 {
		w.BatchSize = p.BatchRecords
	}
	if p.BytesMax > 0 {
		w.BatchBytes = int64(p.BytesMax)
	}
	var messages []kafka.Message
	for _, r := range p.Records {
		m := kafka.Message{Key: r.Key, Value: r.Value, Time: r.Timestamp, WriterData: int(r.Partition)}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, kafka.Header(h))
		}
		messages = append(messages, m)
	}
	return -1, errors.Join(w.WriteMessages(ctx, messages...), w.Close())
}

func (c *client) produceOne(ctx context.Context, p driver.Produce) (int64, error) {
	r := p.Records[0]
	record := kafka.Record{Time: r.Timestamp, Key: kafka.NewBytes(r.Key), Value: kafka.NewBytes(r.Value)}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, kafka.Header(h))
	}
	resp, err := c.c.Produce(ctx, &kafka.ProduceRequest{
		Topic: p.Topic, Partition: int(r.Partition), RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(record), Compression: codecs[p.Codec],
	})
	if err != nil {
		return 0, err
	}
	return resp.BaseOffset, resp.Error
}

func (c *client) Read(ctx context.Context, r driver.Read) ([]driver.Record, error) {
	cfg := kafka.ReaderConfig{
		Brokers: []string{c.bootstrap}, Topic: r.Topic, Partition: int(r.Partition),
		MaxWait: 500 * time.Millisecond, MinBytes: 1, MaxBytes: 4 << 20,
	}
	if r.Committed {
		cfg.IsolationLevel = kafka.ReadCommitted
	}
	if r.FetchBytes > 0 {
		cfg.MaxBytes = r.FetchBytes
	}
	reader := kafka.NewReader(cfg)
	defer func() { _ = reader.Close() }()
	if err := reader.SetOffset(r.From); err != nil {
		return nil, err
	}
	return driver.Collect(ctx, r, func(ctx context.Context) ([]driver.Record, error) {
		m, err := reader.ReadMessage(ctx)
		if err != nil {
			return nil, err
		}
		d := driver.Record{
			Partition: int32(m.Partition), Offset: m.Offset, Timestamp: m.Time, Key: m.Key, Value: m.Value,
		}
		for _, h := range m.Headers {
			d.Headers = append(d.Headers, driver.Header(h))
		}
		return []driver.Record{d}, nil
	})
}

func (c *client) OffsetFor(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	resp, err := c.c.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {{Partition: int(partition), Timestamp: at}}},
	})
	if err != nil {
		return 0, err
	}
	o := resp.Topics[topic][0]
	switch at {
	case driver.Latest:
		return o.LastOffset, o.Error
	case driver.Earliest:
		return o.FirstOffset, o.Error
	}
	for _, offset := range slices.Collect(maps.Keys(o.Offsets)) {
		return offset, o.Error
	}
	return -1, o.Error
}

func (c *client) Partitions(ctx context.Context, topic string) (n, led int, err error) {
	resp, err := c.c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, 0, err
	}
	for _, p := range resp.Topics[0].Partitions {
		n++
		if p.Leader.Port > 0 && p.Error == nil {
			led++
		}
	}
	return n, led, nil
}

func (c *client) Code(err error) string {
	switch {
	case errors.Is(err, kafka.TopicAlreadyExists):
		return driver.CodeExists
	case errors.Is(err, kafka.MessageSizeTooLarge):
		return driver.CodeTooLarge
	}
	return ""
}

func (c *client) Member(ctx context.Context, m driver.Member, e *driver.Events) error {
	switch {
	case m.Consumer:
		return driver.Absent("consumer protocol (KIP-848)")
	case m.Cooperative:
		return driver.Absent("cooperative rebalancing")
	case m.Instance != "":
		return driver.Absent("static membership")
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: m.Group, Brokers: []string{c.bootstrap}, Topics: []string{m.Topic},
		Dialer:            &kafka.Dialer{ClientID: m.ClientID, Timeout: 10 * time.Second, DualStack: true},
		GroupBalancers:    []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		HeartbeatInterval: driver.HeartbeatMillis * time.Millisecond,
		SessionTimeout:    driver.SessionMillis * time.Millisecond,
		RebalanceTimeout:  driver.RebalanceMillis * time.Millisecond,
		JoinGroupBackoff:  time.Second,
		StartOffset:       kafka.FirstOffset,
	})
	if err != nil {
		return err
	}
	for {
		generation, err := group.Next(ctx)
		if ctx.Err() != nil {
			return group.Close()
		}
		if err != nil {
			println("next: " + err.Error())
			continue
		}
		c.generation(generation, m.Topic, e)
	}
}

// generation reads the partitions of one generation until it ends.
func (c *client) generation(g *kafka.Generation, topic string, e *driver.Events) {
	var partitions []int32
	for _, p := range g.Assignments[topic] {
		partitions = append(partitions, int32(p.ID))
	}
	e.Own(partitions)
	for _, p := range g.Assignments[topic] {
		g.Start(func(ctx context.Context) {
			defer e.Lose([]int32{int32(p.ID)})
			reader := kafka.NewReader(kafka.ReaderConfig{
				Brokers: []string{c.bootstrap}, Topic: topic, Partition: p.ID, MinBytes: 1, MaxBytes: 1 << 20,
				MaxWait: 500 * time.Millisecond,
			})
			defer func() { _ = reader.Close() }()
			if err := reader.SetOffset(p.Offset); err != nil {
				println("seek: " + err.Error())
				return
			}
			for {
				m, err := reader.ReadMessage(ctx)
				if err != nil {
					return
				}
				e.Record(int32(m.Partition), m.Offset, m.Value)
				err = g.CommitOffsets(map[string]map[int]int64{topic: {p.ID: m.Offset + 1}})
				if err != nil {
					println("commit: " + err.Error())
				}
			}
		})
	}
}
