package main

import (
	"context"
	"maps"
	"slices"

	"github.com/IBM/sarama"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

func (c *client) Topics(context.Context) (names []string, err error) {
	err = c.admin(func(a sarama.ClusterAdmin) error {
		topics, err := a.ListTopics()
		names = slices.Collect(maps.Keys(topics))
		return err
	})
	return names, err
}

func (c *client) Settings(_ context.Context, topic string) (map[string]string, error) {
	settings := map[string]string{}
	err := c.admin(func(a sarama.ClusterAdmin) error {
		entries, err := a.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
		for _, e := range entries {
			settings[e.Name] = e.Value
		}
		return err
	})
	return settings, err
}

func (c *client) Alter(_ context.Context, topic, name, value string) error {
	set := map[string]sarama.IncrementalAlterConfigsEntry{
		name: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}
	return c.admin(func(a sarama.ClusterAdmin) error {
		return a.IncrementalAlterConfig(sarama.TopicResource, topic, set, false)
	})
}

func (c *client) AddPartitions(_ context.Context, topic string, total int) error {
	return c.admin(func(a sarama.ClusterAdmin) error {
		return a.CreatePartitions(topic, int32(total), nil, false)
	})
}

func (c *client) DeleteRecords(_ context.Context, topic string, partition int32, before int64) error {
	return c.admin(func(a sarama.ClusterAdmin) error {
		return a.DeleteRecords(topic, map[int32]int64{partition: before})
	})
}

func (c *client) DeleteTopic(_ context.Context, topic string) error {
	return c.admin(func(a sarama.ClusterAdmin) error { return a.DeleteTopic(topic) })
}

func (c *client) Commit(_ context.Context, at driver.GroupOffset) error {
	return c.admin(func(a sarama.ClusterAdmin) error {
		offset := sarama.OffsetAndMetadata{Offset: at.Offset, LeaderEpoch: -1}
		resp, err := a.AlterConsumerGroupOffsets(at.Group,
			map[string]map[int32]sarama.OffsetAndMetadata{at.Topic: {at.Partition: offset}}, nil)
		if err != nil {
			return err
		}
		if code := resp.Errors[at.Topic][at.Partition]; code != sarama.ErrNoError {
			return code
		}
		return nil
	})
}

func (c *client) Committed(_ context.Context, at driver.GroupOffset) (offset int64, err error) {
	err = c.admin(func(a sarama.ClusterAdmin) error {
		resp, err := a.ListConsumerGroupOffsets(at.Group, map[string][]int32{at.Topic: {at.Partition}})
		if err != nil {
			return err
		}
		offset = -1
		if block := resp.GetBlock(at.Topic, at.Partition); block != nil {
			offset = block.Offset
		}
		return nil
	})
	return offset, err
}

func (c *client) Groups(context.Context) (names []string, err error) {
	err = c.admin(func(a sarama.ClusterAdmin) error {
		groups, err := a.ListConsumerGroups()
		names = slices.Collect(maps.Keys(groups))
		return err
	})
	return names, err
}

func (c *client) Describe(_ context.Context, group string) (state string, members int, err error) {
	err = c.admin(func(a sarama.ClusterAdmin) error {
		groups, err := a.DescribeConsumerGroups([]string{group})
		if err != nil {
			return err
		}
		if groups[0].Err != sarama.ErrNoError {
			return groups[0].Err
		}
		state, members = groups[0].State, len(groups[0].Members)
		return nil
	})
	return state, members, err
}

func (c *client) DeleteGroup(_ context.Context, group string) error {
	return c.admin(func(a sarama.ClusterAdmin) error { return a.DeleteConsumerGroup(group) })
}
