package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/render"
)

const adminTimeoutMillis = 30_000

type createdTopic struct {
	Topic      string `json:"topic"`
	TopicID    string `json:"topic_id"`
	Partitions int32  `json:"partitions"`
	Replicas   int16  `json:"replicas"`
}

func (a *app) topicCreateCommand() *cli.Command {
	return example(&cli.Command{
		Name: "create", Usage: "create a topic", ArgsUsage: "TOPIC",
		Flags: []cli.Flag{
			&cli.Int32Flag{
				Name: "partitions", Value: -1, DefaultText: "num.partitions",
				Usage: "`NUMBER` of partitions",
			},
			&cli.Int16Flag{
				Name: "replicas", Value: -1, DefaultText: "default.replication.factor",
				Usage: "`NUMBER` of agents that hold each partition",
			},
			configFlag(), bootstrapFlag(), outputFlag("text", "json"),
		},
		Action: a.topicCreate,
	}, `varve topic create flights --partitions 6
varve topic create audit --config retention.ms=-1 --config segment.bytes=67108864`)
}

func (a *app) topicCreate(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	output, err := outputOf(cmd, "text", "json")
	if err != nil {
		return err
	}
	configs, err := configsOf(cmd)
	if err != nil {
		return err
	}
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic = args[0]
	topic.NumPartitions = cmd.Int32("partitions")
	topic.ReplicationFactor = cmd.Int16("replicas")
	for _, c := range configs {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = c[0], kmsg.StringPtr(c[1])
		topic.Configs = append(topic.Configs, config)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = adminTimeoutMillis
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("create topic %q: %w", args[0], err)
	}
	made := resp.Topics[0]
	if err := kafkaError(made.ErrorCode, made.ErrorMessage); err != nil {
		return fmt.Errorf("create topic %q: %w", args[0], err)
	}
	created := createdTopic{
		Topic: args[0], TopicID: topicIDText(made.TopicID),
		Partitions: made.NumPartitions, Replicas: made.ReplicationFactor,
	}
	if output == "json" {
		return render.JSON(a.stdout, created)
	}
	fmt.Fprintf(a.stderr, "created topic %s with %s\n", created.Topic,
		countOf(int64(created.Partitions), "partition"))
	return nil
}
