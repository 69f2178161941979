package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"
)

func (a *app) topicAlterCommand() *cli.Command {
	return example(&cli.Command{
		Name: "alter", Usage: "change settings, or add partitions", ArgsUsage: "TOPIC",
		Flags: []cli.Flag{
			configFlag(),
			&cli.StringSliceFlag{Name: "unset", Usage: "`NAME` of a setting to go back to its default"},
			&cli.Int32Flag{Name: "partitions", Usage: "new total `NUMBER` of partitions"},
			bootstrapFlag(),
		},
		Action: a.topicAlter,
	}, `varve topic alter flights --config local.retention.ms=600000
varve topic alter flights --unset local.retention.ms --partitions 12`)
}

func (a *app) topicAlter(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	configs, err := configsOf(cmd)
	if err != nil {
		return err
	}
	unset, partitions := cmd.StringSlice("unset"), cmd.Int32("partitions")
	if len(configs)+len(unset) == 0 && partitions == 0 {
		return usagef(cmd, "%s needs something to change", verbPath(cmd)).withHint(
			"--config NAME=VALUE, --unset NAME or --partitions NUMBER")
	}
	client, err := connect(ctx, cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	var changed []string
	if len(configs)+len(unset) > 0 {
		if err := alterConfigs(ctx, client, args[0], configs, unset); err != nil {
			return fmt.Errorf("alter topic %q: %w", args[0], err)
		}
		changed = append(changed, "settings")
	}
	if partitions != 0 {
		if err := addPartitions(ctx, client, args[0], partitions); err != nil {
			err = fmt.Errorf("give topic %q %d partitions: %w", args[0], partitions, err)
			if len(changed) > 0 {
				err = errors.Join(err, errors.New("its settings were changed before"))
			}
			return err
		}
		changed = append(changed, "partitions")
	}
	fmt.Fprintf(a.stderr, "changed %s of topic %s\n", strings.Join(changed, " and "), args[0])
	return nil
}

func alterConfigs(
	ctx context.Context, client *kgo.Client, topic string, set [][2]string, unset []string,
) error {
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	for _, c := range set {
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Value = c[0], kmsg.StringPtr(c[1])
		resource.Configs = append(resource.Configs, config)
	}
	for _, name := range unset {
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Op = name, kmsg.IncrementalAlterConfigOpDelete
		resource.Configs = append(resource.Configs, config)
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kafkaError(resp.Resources[0].ErrorCode, resp.Resources[0].ErrorMessage)
}

func addPartitions(ctx context.Context, client *kgo.Client, topic string, count int32) error {
	more := kmsg.NewCreatePartitionsRequestTopic()
	more.Topic, more.Count = topic, count
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Topics = append(req.Topics, more)
	req.TimeoutMillis = adminTimeoutMillis
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kafkaError(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage)
}
