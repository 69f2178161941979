package main

import (
	"context"

	"github.com/segmentio/kafka-go"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

func (c *client) Topics(ctx context.Context) ([]string, error) {
	resp, err := c.c.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range resp.Topics {
		names = append(names, t.Name)
	}
	return names, nil
}

func (c *client) Settings(ctx context.Context, topic string) (map[string]string, error) {
	resp, err := c.c.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic},
		},
	})
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	for _, e := range resp.Resources[0].ConfigEntries {
		settings[e.ConfigName] = e.ConfigValue
	}
	return settings, resp.Resources[0].Error
}

func (c *client) Alter(ctx context.Context, topic, name, value string) error {
	resp, err := c.c.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{
				{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet},
			},
		}},
	})
	if err != nil {
		return err
	}
	return resp.Resources[0].Error
}

func (c *client) AddPartitions(ctx context.Context, topic string, total int) error {
	resp, err := c.c.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(total)}},
	})
	if err != nil {
		return err
	}
	return resp.Errors[topic]
}

func (c *client) DeleteRecords(context.Context, string, int32, int64) error {
	return driver.Absent("deletion of records")
}

func (c *client) DeleteTopic(ctx context.Context, topic string) error {
	resp, err := c.c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return resp.Errors[topic]
}

func (c *client) Commit(ctx context.Context, at driver.GroupOffset) error {
	offset := kafka.OffsetCommit{Partition: int(at.Partition), Offset: at.Offset}
	resp, err := c.c.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: at.Group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{at.Topic: {offset}},
	})
	if err != nil {
		return err
	}
	return resp.Topics[at.Topic][0].Error
}

func (c *client) Committed(ctx context.Context, at driver.GroupOffset) (int64, error) {
	resp, err := c.c.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: at.Group, Topics: map[string][]int{at.Topic: {int(at.Partition)}},
	})
	if err != nil {
		return 0, err
	}
	if resp.Error != nil {
		return 0, resp.Error
	}
	p := resp.Topics[at.Topic][0]
	return p.CommittedOffset, p.Error
}

func (c *client) Groups(ctx context.Context) ([]string, error) {
	resp, err := c.c.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range resp.Groups {
		names = append(names, g.GroupID)
	}
	return names, resp.Error
}

func (c *client) Describe(ctx context.Context, group string) (string, int, error) {
	resp, err := c.c.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return "", 0, err
	}
	g := resp.Groups[0]
	return g.GroupState, len(g.Members), g.Error
}

func (c *client) DeleteGroup(ctx context.Context, group string) error {
	resp, err := c.c.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
	if err != nil {
		return err
	}
	return resp.Errors[group]
}
