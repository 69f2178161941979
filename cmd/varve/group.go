package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"
)

func (a *app) groupCommand() *cli.Command {
	return example(noun("group", "look at consumer groups, reset their offsets, delete them",
		a.groupListCommand(),
		a.groupDescribeCommand(),
		a.groupResetCommand(),
		a.groupDeleteCommand(),
	), `varve group list
varve group describe reports
varve group reset reports --topic flights --to-earliest`)
}

// errNoGroup tells that a group is not there, and what to do.
func errNoGroup(group string) error {
	return fmt.Errorf("group %q does not exist; see `varve group list`", group)
}

// groupError is the refusal of a request about a group.
func groupError(group, what string, code int16, message *string) error {
	err := kafkaError(code, message)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.GroupIDNotFound):
		return errNoGroup(group)
	case errors.Is(err, kerr.NonEmptyGroup), errors.Is(err, kerr.UnknownMemberID):
		return fmt.Errorf("%s group %q: it has members; stop its consumers first, see "+
			"`varve group describe %s`", what, group, group)
	}
	return fmt.Errorf("%s group %q: %w", what, group, err)
}

// tp names a partition.
type tp struct {
	topic     string
	partition int32
}

// committedOffsets are all offsets of a group. A group that is not there has none.
func committedOffsets(ctx context.Context, client *kgo.Client, group string) (map[tp]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	asked := kmsg.NewOffsetFetchRequestGroup()
	asked.Group = group
	req.Group, req.Groups = group, append(req.Groups, asked)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("fetch the offsets of group %q: %w", group, err)
	}
	names, err := topicNames(ctx, client)
	if err != nil {
		return nil, err
	}
	offsets := make(map[tp]int64)
	for _, g := range resp.Groups {
		if err := groupError(group, "fetch the offsets of", g.ErrorCode, nil); err != nil {
			return nil, err
		}
		for _, t := range g.Topics {
			name := t.Topic
			if name == "" { // from version 10 on topics have their ids only
				name = names[t.TopicID]
			}
			for _, p := range t.Partitions {
				if p.Offset >= 0 {
					offsets[tp{name, p.Partition}] = p.Offset
				}
			}
		}
	}
	return offsets, nil
}

// topicNames finds the names of all topics by id.
func topicNames(ctx context.Context, client *kgo.Client) (map[[16]byte]string, error) {
	topics, err := topicMetadata(ctx, client)
	if err != nil {
		return nil, err
	}
	names := make(map[[16]byte]string, len(topics))
	for _, t := range topics {
		names[t.TopicID] = *t.Topic
	}
	return names, nil
}

// offsetsAt lists one offset of each of some partitions, topic by topic. Partitions that are gone have
// none.
func offsetsAt(
	ctx context.Context, client *kgo.Client, of []tp, timestamp int64,
) (map[tp]int64, error) {
	byTopic := make(map[string][]int32)
	for _, p := range of {
		byTopic[p.topic] = append(byTopic[p.topic], p.partition)
	}
	all := make(map[tp]int64, len(of))
	for topic, partitions := range byTopic {
		found, err := listOffsets(ctx, client, topic, partitions, timestamp)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for p, offset := range found {
			all[tp{topic, p}] = offset
		}
	}
	return all, nil
}
