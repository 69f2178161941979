package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/agent/admin"
	"github.com/varve-log/varve/internal/render"
)

type describedTopic struct {
	Topic      string               `json:"topic"`
	TopicID    string               `json:"topic_id"`
	Configs    map[string]string    `json:"configs"`
	Partitions []describedPartition `json:"partitions"`
}

// describedPartition is what the Kafka protocol tells; Tiers is what the agent's HTTP side adds.
type describedPartition struct {
	Partition   int32                    `json:"partition"`
	Leader      int32                    `json:"leader"`
	LeaderEpoch int32                    `json:"leader_epoch"`
	Replicas    []int32                  `json:"replicas"`
	ISR         []int32                  `json:"isr"`
	Tiers       *admin.PartitionSegments `json:"tiers,omitempty"`
}

func (a *app) topicDescribeCommand() *cli.Command {
	return example(&cli.Command{
		Name: "describe", Usage: "show a topic's settings, and which offsets are where",
		ArgsUsage: "TOPIC",
		Description: "Offsets are half-open ranges. hot: on the agent's disk only; uploading: on its " +
			"way;\nsealed: in the bucket and still on the disk; released: in the bucket only.\n" +
			"Compacted topics are saved as checkpoints: up to which offset is told below the table.",
		Flags:  []cli.Flag{bootstrapFlag(), httpFlag(), outputFlag("table", "json")},
		Action: a.topicDescribe,
	}, "varve topic describe flights\nvarve topic describe flights -o json")
}

func (a *app) topicDescribe(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
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
	meta, err := oneTopic(ctx, client, args[0])
	if err != nil {
		return err
	}
	topic := describedTopic{Topic: args[0], TopicID: topicIDText(meta.TopicID)}
	for _, p := range meta.Partitions {
		topic.Partitions = append(topic.Partitions, describedPartition{
			Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch,
			Replicas: p.Replicas, ISR: p.ISR,
		})
	}
	if topic.Configs, err = topicConfigs(ctx, client, args[0]); err != nil {
		return fmt.Errorf("describe the settings of topic %q: %w", args[0], err)
	}
	a.addTiers(ctx, cmd, &topic)
	if output == "json" {
		return render.JSON(a.stdout, topic)
	}
	return topic.write(a.stdout)
}

// topicConfigs are the settings that were given for the topic.
func topicConfigs(
	ctx context.Context, client *kgo.Client, topic string,
) (map[string]string, error) {
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, resource)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	described := resp.Resources[0]
	if err := kafkaError(described.ErrorCode, described.ErrorMessage); err != nil {
		return nil, err
	}
	configs := map[string]string{}
	for _, c := range described.Configs {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig && c.Value != nil {
			configs[c.Name] = *c.Value
		}
	}
	return configs, nil
}

// addTiers asks the agent's HTTP side. Without it the rest is still worth showing.
func (a *app) addTiers(ctx context.Context, cmd *cli.Command, topic *describedTopic) {
	var tiers admin.TopicSegments
	path := "/v1/topics/" + url.PathEscape(topic.Topic) + "/segments"
	err := askAgent(ctx, cmd, http.MethodGet, path, &tiers)
	if err == nil && tiers.TopicID != topic.TopicID {
		err = errors.New("it is the HTTP side of another cluster than --bootstrap names")
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "varve: what is sealed is not shown: %v\n", err)
		return
	}
	for i := range topic.Partitions {
		for j := range tiers.Partitions {
			if tiers.Partitions[j].Partition == topic.Partitions[i].Partition {
				topic.Partitions[i].Tiers = &tiers.Partitions[j]
			}
		}
	}
}

func (t describedTopic) write(w io.Writer) error {
	fmt.Fprintf(w, "topic %s  id %s  partitions %d\n", t.Topic, t.TopicID, len(t.Partitions))
	for _, name := range sortedKeys(t.Configs) {
		fmt.Fprintf(w, "  %s=%s\n", name, t.Configs[name])
	}
	table := render.NewTable("PARTITION", "LEADER", "EPOCH", "START", "END",
		"RELEASED", "SEALED", "UPLOADING", "HOT", "BYTES")
	for _, p := range t.Partitions {
		if p.Tiers == nil {
			table.Row(p.Partition, p.Leader, p.LeaderEpoch, "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		ranges, bytes := rangesByState(p.Tiers.Segments)
		table.Row(p.Partition, p.Leader, p.LeaderEpoch, p.Tiers.LogStartOffset, p.Tiers.HighWatermark,
			ranges[admin.Released], ranges[admin.Sealed], ranges[admin.Uploading], ranges[admin.Hot],
			render.Bytes(bytes))
	}
	if err := table.Write(w); err != nil {
		return err
	}
	return t.writeCheckpoints(w)
}

// writeCheckpoints tells what is saved of compacted partitions.
func (t describedTopic) writeCheckpoints(w io.Writer) error {
	for _, p := range t.Partitions {
		if p.Tiers == nil || p.Tiers.Checkpoint == nil {
			continue
		}
		c := p.Tiers.Checkpoint
		_, err := fmt.Fprintf(w, "partition %d is saved in the bucket up to offset %d of %d: "+
			"%d records, %s, at %s\n", p.Partition, c.EndOffset, p.Tiers.HighWatermark, c.Records,
			render.Bytes(c.Bytes), timeText(c.SavedAt))
		if err != nil {
			return err
		}
	}
	return nil
}

// rangesByState writes each state's offsets, neighbouring runs joined, and sums the bytes.
func rangesByState(runs []admin.Segment) (map[admin.SegmentState]string, int64) {
	ranges := map[admin.SegmentState]string{
		admin.Released: "-", admin.Sealed: "-", admin.Uploading: "-", admin.Hot: "-",
	}
	var bytes int64
	for i := 0; i < len(runs); {
		first := runs[i]
		next := first.NextOffset
		bytes += first.Bytes
		for i++; i < len(runs) && runs[i].State == first.State && runs[i].BaseOffset == next; i++ {
			next = runs[i].NextOffset
			bytes += runs[i].Bytes
		}
		text := fmt.Sprintf("%d-%d", first.BaseOffset, next)
		ranges[first.State] = strings.TrimPrefix(ranges[first.State]+" "+text, "- ")
	}
	return ranges, bytes
}
