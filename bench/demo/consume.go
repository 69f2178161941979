package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	topic      = "flights"
	partitions = 6
	// consumeTime bounds one read of the topic, produceTime one write of a few records.
	consumeTime = 5 * time.Minute
	produceTime = time.Minute
	// kcatQueue makes librdkafka buffer more than 100,000 records: 2.0.2 looks only once a second
	// whether a full queue was drained, and would idle through most of the read.
	kcatQueue = "queued.min.messages=1000000"
)

// consume reads each partition from `from` to its end and hands each record to take.
func consume(ctx context.Context, bootstrap string, from []int64, take func(*kgo.Record)) error {
	ctx, cancel := context.WithTimeout(ctx, consumeTime)
	defer cancel()
	ends, err := endOffsets(ctx, bootstrap)
	if err != nil {
		return err
	}
	start := map[int32]kgo.Offset{}
	left := int64(0)
	for p, end := range ends {
		start[int32(p)] = kgo.NewOffset().At(from[p])
		left += end - from[p]
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}))
	if err != nil {
		return err
	}
	defer client.Close()
	for left > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("consume, %d records missing: %w", left, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			take(r)
		})
	}
	return nil
}

// consumeAll tallies the whole topic by franz-go.
func consumeAll(ctx context.Context, bootstrap string, t *tally) error {
	return consume(ctx, bootstrap, make([]int64, partitions), func(r *kgo.Record) {
		t.addAt(&message{
			partition: r.Partition, offset: r.Offset, timestamp: r.Timestamp.UnixMilli(),
			key: r.Key, value: r.Value,
		})
	})
}

// endOffsets are the high watermarks by partition.
func endOffsets(ctx context.Context, bootstrap string) ([]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range int32(partitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	ends := make([]int64, partitions)
	for _, p := range res.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return nil, fmt.Errorf("list offsets of partition %d: %w", p.Partition, err)
		}
		ends[p.Partition] = p.Offset
	}
	return ends, nil
}

// consumeByKcat tallies the whole topic by kcat, a client that shares no code with ours.
func (d *demo) consumeByKcat(ctx context.Context) error {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		if os.Getenv("CI") == "true" {
			return fmt.Errorf("kcat is missing, which CI must have: %w; apt-get install kcat", err)
		}
		fmt.Fprintln(d.out, "   left out: kcat is not installed (apt-get install kcat)")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, consumeTime)
	defer cancel()
	t := newTally(len(d.data.want.digests))
	cmd := exec.CommandContext(ctx, kcat, "-C", "-b", d.agent.Bootstrap(), "-t", topic,
		"-o", "beginning", "-e", "-q", "-X", kcatQueue, "-f", kcatFormat)
	if err := tallyCommand(ctx, cmd, parseTabs, t); err != nil {
		return err
	}
	return d.compare(t)
}

func (d *demo) consumeByFranz(ctx context.Context) error {
	t := newTally(len(d.data.want.digests))
	if err := consumeAll(ctx, d.agent.Bootstrap(), t); err != nil {
		return err
	}
	return d.compare(t)
}

// produceOn appends records to a topic that was sealed up to ends, and reads them back.
func produceOn(ctx context.Context, bootstrap string, ends []int64) (records int, err error) {
	ctx, cancel := context.WithTimeout(ctx, produceTime)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	var sent []*kgo.Record
	for i := range produceOnRecords {
		sent = append(sent, &kgo.Record{
			Partition: int32(i % partitions), Value: fmt.Appendf(nil, `{"again":%d}`, i),
		})
	}
	if err := client.ProduceSync(ctx, sent...).FirstErr(); err != nil {
		return 0, fmt.Errorf("produce: %w", err)
	}
	expected := map[place]string{}
	for i, r := range sent {
		at := place{r.Partition, ends[r.Partition] + int64(i/partitions)}
		if r.Offset != at.offset {
			return 0, fmt.Errorf("a record of partition %d got offset %d, the next was %d",
				at.partition, r.Offset, at.offset)
		}
		expected[at] = string(r.Value)
	}
	err = consume(ctx, bootstrap, ends, func(r *kgo.Record) {
		if at := (place{r.Partition, r.Offset}); expected[at] == string(r.Value) {
			delete(expected, at)
		}
	})
	if err == nil && len(expected) > 0 {
		err = fmt.Errorf("%d of %d new records do not come back", len(expected), len(sent))
	}
	return len(sent), err
}

const produceOnRecords = 600

type place struct {
	partition int32
	offset    int64
}
