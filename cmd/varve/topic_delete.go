package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"
)

func (a *app) topicDeleteCommand() *cli.Command {
	return example(&cli.Command{
		Name: "delete", Usage: "delete a topic with all its records, sealed ones too",
		ArgsUsage: "TOPIC",
		Flags:     []cli.Flag{yesFlag(), bootstrapFlag()},
		Action:    a.topicDelete,
	}, "varve topic delete flights\nvarve topic delete flights --yes")
}

func (a *app) topicDelete(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	if err := a.confirm(cmd, fmt.Sprintf(
		"Delete topic %s and all its records, on agents and in the bucket?", args[0])); err != nil {
		return err
	}
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr(args[0])
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics = append(req.Topics, topic)
	req.TopicNames = []string{args[0]}
	req.TimeoutMillis = adminTimeoutMillis
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("delete topic %q: %w", args[0], err)
	}
	err = kafkaError(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return errNoTopic(args[0])
	}
	if err != nil {
		return fmt.Errorf("delete topic %q: %w", args[0], err)
	}
	fmt.Fprintf(a.stderr, "deleted topic %s\n", args[0])
	return nil
}
