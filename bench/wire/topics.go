package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Versions of the requests about topics.
const (
	createVersion   = 5
	deleteVersion   = 5
	metadataVersion = 9
	listVersion     = 6
)

// leaderPause is the time between looks for a new topic's leaders.
const leaderPause = 20 * time.Millisecond

// adminTimeoutMillis is how long a broker may work on a creation or a deletion.
const adminTimeoutMillis = 60_000

// CreateTopic makes a topic with one replica and waits until every partition has a leader.
func (c *Conn) CreateTopic(
	ctx context.Context, topic string, partitions int32, configs map[string]string,
) error {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	for k, v := range configs {
		kv := kmsg.NewCreateTopicsRequestTopicConfig()
		kv.Name, kv.Value = k, &v
		t.Configs = append(t.Configs, kv)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = createVersion, adminTimeoutMillis
	req.Topics = append(req.Topics, t)
	answer, err := c.Ask(req)
	if err != nil {
		return err
	}
	for _, got := range answer.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			detail := ""
			if got.ErrorMessage != nil {
				detail = ": " + *got.ErrorMessage
			}
			return fmt.Errorf("create topic %s: %w%s", topic, err, detail)
		}
	}
	if _, err = c.Leaders(ctx, topic); err != nil {
		return err
	}
	// A leader that the metadata names may not know it yet: it does when it tells an offset.
	for i := range partitions {
		led := func() error {
			_, err := c.Offset(topic, i, Latest)
			return err
		}
		if err := c.await(ctx, led); err != nil {
			return fmt.Errorf("wait for the leader of %s-%d: %w", topic, i, err)
		}
	}
	return nil
}

// DeleteTopic removes a topic; one that is not there is no error.
func (c *Conn) DeleteTopic(topic string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = deleteVersion, adminTimeoutMillis
	req.TopicNames = append(req.TopicNames, topic)
	answer, err := c.Ask(req)
	if err != nil {
		return err
	}
	for _, got := range answer.(*kmsg.DeleteTopicsResponse).Topics {
		err := kerr.ErrorForCode(got.ErrorCode)
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete topic %s: %w", topic, err)
		}
	}
	return nil
}

// Leaders gives the address of each partition's leader, and waits for those that have none yet
// until ctx ends.
func (c *Conn) Leaders(ctx context.Context, topic string) (addrs []string, err error) {
	err = c.await(ctx, func() error {
		addrs, err = c.leaders(topic)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("find the leaders of %s: %w", topic, err)
	}
	return addrs, nil
}

// await repeats a question until the answer is another than "not yet".
func (c *Conn) await(ctx context.Context, ask func() error) error {
	ticker := time.NewTicker(leaderPause)
	defer ticker.Stop()
	for {
		err := ask()
		if err == nil || !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return err
		}
	}
}

func (c *Conn) leaders(topic string) ([]string, error) {
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req := kmsg.NewPtrMetadataRequest()
	req.Version = metadataVersion
	req.Topics = append(req.Topics, t)
	answer, err := c.Ask(req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.MetadataResponse)
	brokers := map[int32]string{}
	for _, b := range resp.Brokers {
		brokers[b.NodeID] = fmt.Sprintf("%s:%d", b.Host, b.Port)
	}
	if len(resp.Topics) != 1 {
		return nil, fmt.Errorf("metadata of %s: %d topics", topic, len(resp.Topics))
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return nil, err
	}
	addrs := make([]string, len(resp.Topics[0].Partitions))
	for _, p := range resp.Topics[0].Partitions {
		addr, ok := brokers[p.Leader]
		if !ok || p.ErrorCode != 0 || int(p.Partition) >= len(addrs) {
			return nil, kerr.LeaderNotAvailable
		}
		addrs[p.Partition] = addr
	}
	return addrs, nil
}

// Special timestamps of ListOffsets.
const (
	Earliest = int64(-2)
	Latest   = int64(-1)
)

// Offset asks for the earliest or latest offset of a partition.
func (c *Conn) Offset(topic string, partition int32, at int64) (int64, error) {
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp = partition, at
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	t.Partitions = append(t.Partitions, p)
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = listVersion, -1
	req.Topics = append(req.Topics, t)
	answer, err := c.Ask(req)
	if err != nil {
		return 0, err
	}
	resp := answer.(*kmsg.ListOffsetsResponse)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, fmt.Errorf("offsets of %s-%d: answer without the partition", topic, partition)
	}
	got := resp.Topics[0].Partitions[0]
	return got.Offset, kerr.ErrorForCode(got.ErrorCode)
}
