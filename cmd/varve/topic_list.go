package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/internal/render"
)

type listedTopic struct {
	Topic      string `json:"topic"`
	TopicID    string `json:"topic_id"`
	Partitions int    `json:"partitions"`
	Replicas   int    `json:"replicas"`
	Internal   bool   `json:"internal"`
}

func (a *app) topicListCommand() *cli.Command {
	return example(&cli.Command{
		Name: "list", Usage: "list the topics",
		Flags:  []cli.Flag{bootstrapFlag(), outputFlag("table", "json")},
		Action: a.topicList,
	}, "varve topic list\nvarve topic list -o json --bootstrap 10.0.0.5:9092")
}

func (a *app) topicList(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	output, err := outputOf(cmd, "table", "json")
	if err != nil {
		return err
	}
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	found, err := topicMetadata(ctx, client)
	if err != nil {
		return err
	}
	topics := make([]listedTopic, 0, len(found))
	for _, t := range found {
		topic := listedTopic{
			Topic: *t.Topic, TopicID: topicIDText(t.TopicID),
			Partitions: len(t.Partitions), Internal: t.IsInternal,
		}
		for _, p := range t.Partitions {
			topic.Replicas = max(topic.Replicas, len(p.Replicas))
		}
		topics = append(topics, topic)
	}
	slices.SortFunc(topics, func(x, y listedTopic) int { return cmp.Compare(x.Topic, y.Topic) })
	if output == "json" {
		return render.JSON(a.stdout, topics)
	}
	table := render.NewTable("TOPIC", "PARTITIONS", "REPLICAS", "ID")
	for _, t := range topics {
		table.Row(t.Topic, t.Partitions, t.Replicas, t.TopicID)
	}
	return table.Write(a.stdout)
}

// topicIDText writes a topic id as Kafka's tools do.
func topicIDText(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
