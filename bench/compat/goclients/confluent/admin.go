package main

import (
	"context"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

func (c *client) Topics(context.Context) ([]string, error) {
	m, err := c.admin.GetMetadata(nil, true, int(callTime.Milliseconds()))
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range m.Topics {
		names = append(names, name)
	}
	return names, nil
}

func (c *client) Settings(ctx context.Context, topic string) (map[string]string, error) {
	results, err := c.admin.DescribeConfigs(
		ctx, []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: topic}},
	)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	for name, entry := range results[0].Config {
		settings[name] = entry.Value
	}
	return settings, orNil(results[0].Error)
}

// orNil is nil for the library's value of no error.
func orNil(e kafka.Error) error {
	if e.Code() == kafka.ErrNoError {
		return nil
	}
	return e
}

func (c *client) Alter(ctx context.Context, topic, name, value string) error {
	results, err := c.admin.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{{
		Type: kafka.ResourceTopic, Name: topic,
		Config: []kafka.ConfigEntry{
			{Name: name, Value: value, IncrementalOperation: kafka.AlterConfigOpTypeSet},
		},
	}})
	if err != nil {
		return err
	}
	return orNil(results[0].Error)
}

func (c *client) AddPartitions(ctx context.Context, topic string, total int) error {
	return topicError(c.admin.CreatePartitions(ctx, []kafka.PartitionsSpecification{
		{Topic: topic, IncreaseTo: total},
	}))
}

func (c *client) DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error {
	results, err := c.admin.DeleteRecords(ctx, []kafka.TopicPartition{
		{Topic: &topic, Partition: partition, Offset: kafka.Offset(before)},
	})
	if err != nil {
		return err
	}
	return results.DeleteRecordsResults[0].TopicPartition.Error
}

func (c *client) DeleteTopic(ctx context.Context, topic string) error {
	return topicError(c.admin.DeleteTopics(ctx, []string{topic}))
}

func (c *client) Commit(ctx context.Context, at driver.GroupOffset) error {
	results, err := c.admin.AlterConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{{
		Group: at.Group,
		Partitions: []kafka.TopicPartition{
			{Topic: &at.Topic, Partition: at.Partition, Offset: kafka.Offset(at.Offset)},
		},
	}})
	if err != nil {
		return err
	}
	return results.ConsumerGroupsTopicPartitions[0].Partitions[0].Error
}

func (c *client) Committed(ctx context.Context, at driver.GroupOffset) (int64, error) {
	results, err := c.admin.ListConsumerGroupOffsets(ctx, []kafka.ConsumerGroupTopicPartitions{{
		Group:      at.Group,
		Partitions: []kafka.TopicPartition{{Topic: &at.Topic, Partition: at.Partition}},
	}})
	if err != nil {
		return 0, err
	}
	p := results.ConsumerGroupsTopicPartitions[0].Partitions[0]
	return int64(p.Offset), p.Error
}

func (c *client) Groups(ctx context.Context) ([]string, error) {
	results, err := c.admin.ListConsumerGroups(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range results.Valid {
		names = append(names, g.GroupID)
	}
	return names, nil
}

func (c *client) Describe(ctx context.Context, group string) (string, int, error) {
	results, err := c.admin.DescribeConsumerGroups(ctx, []string{group})
	if err != nil {
		return "", 0, err
	}
	g := results.ConsumerGroupDescriptions[0]
	return g.State.String(), len(g.Members), orNil(g.Error)
}

func (c *client) DeleteGroup(ctx context.Context, group string) error {
	results, err := c.admin.DeleteConsumerGroups(ctx, []string{group})
	if err != nil {
		return err
	}
	return orNil(results.ConsumerGroupResults[0].Error)
}
