package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupMembers finds a group of either protocol with its members.
func groupMembers(ctx context.Context, client *kgo.Client, group string) (*describedGroup, error) {
	g, err := consumerMembers(ctx, client, group)
	if errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, kerr.UnsupportedVersion) {
		g, err = classicMembers(ctx, client, group)
	}
	if err != nil {
		return nil, err
	}
	if g.Members == nil {
		g.Members = []describedMember{} // JSON tells none from unknown
	}
	for i := range g.Members {
		m := &g.Members[i]
		slices.SortFunc(m.assigned, tp.compare)
		m.Partitions = make([]string, 0, len(m.assigned))
		for _, p := range m.assigned {
			m.Partitions = append(m.Partitions, p.String())
		}
	}
	return g, nil
}

// consumerMembers describes a group of the consumer protocol.
func consumerMembers(ctx context.Context, client *kgo.Client, group string) (*describedGroup, error) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("describe group %q: %w", group, err)
	}
	d := resp.Groups[0]
	if err := kafkaError(d.ErrorCode, d.ErrorMessage); err != nil {
		return nil, err
	}
	g := &describedGroup{Group: group, Type: "consumer", State: d.State, Assignor: d.AssignorName}
	for _, m := range d.Members {
		out := describedMember{Member: m.MemberID, Client: m.ClientID, Host: m.ClientHost}
		if m.InstanceID != nil {
			out.Instance = *m.InstanceID
		}
		for _, t := range m.Assignment.TopicPartitions {
			for _, p := range t.Partitions {
				out.assigned = append(out.assigned, tp{t.Topic, p})
			}
		}
		g.Members = append(g.Members, out)
	}
	return g, nil
}

// classicMembers describes a group of the classic protocol.
func classicMembers(ctx context.Context, client *kgo.Client, group string) (*describedGroup, error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("describe group %q: %w", group, err)
	}
	d := resp.Groups[0]
	if err := groupError(group, "describe", d.ErrorCode, d.ErrorMessage); err != nil {
		return nil, err
	}
	if d.State == "Dead" {
		return nil, errNoGroup(group)
	}
	g := &describedGroup{Group: group, Type: "classic", State: d.State, Assignor: d.Protocol}
	for _, m := range d.Members {
		out := describedMember{Member: m.MemberID, Client: m.ClientID, Host: m.ClientHost}
		if m.InstanceID != nil {
			out.Instance = *m.InstanceID
		}
		var assigned kmsg.ConsumerMemberAssignment
		if d.ProtocolType == "consumer" && assigned.ReadFrom(m.MemberAssignment) == nil {
			for _, t := range assigned.Topics {
				for _, p := range t.Partitions {
					out.assigned = append(out.assigned, tp{t.Topic, p})
				}
			}
		}
		g.Members = append(g.Members, out)
	}
	return g, nil
}
