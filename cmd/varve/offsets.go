package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The special timestamps of ListOffsets.
const (
	latestTimestamp   = -1
	earliestTimestamp = -2
)

// listOffsets asks for one offset of each partition; partitions without an answer are -1.
func listOffsets(
	ctx context.Context, client *kgo.Client, topic string, partitions []int32, timestamp int64,
) (map[int32]int64, error) {
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for _, p := range partitions {
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp = p, timestamp
		asked.Partitions = append(asked.Partitions, one)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("list offsets of topic %q: %w", topic, err)
	}
	offsets := make(map[int32]int64, len(partitions))
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kafkaError(p.ErrorCode, nil); err != nil {
				return nil, fmt.Errorf("list offsets of topic %q, partition %d: %w", topic, p.Partition, err)
			}
			offsets[p.Partition] = p.Offset
		}
	}
	return offsets, nil
}
