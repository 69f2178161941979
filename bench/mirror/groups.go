package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

const pause = 200 * time.Millisecond

// groups commits offsets at the source and waits for those that MirrorMaker gives them at the target.
func (r *run) groups(ctx context.Context) error {
	c, err := r.readSource(ctx)
	if err != nil {
		return err
	}
	middle, end := map[int32]int64{}, map[int32]int64{}
	for p := range int32(partitions) {
		records := c.records[p]
		middle[p] = records[len(records)/2].Offset
		end[p] = records[len(records)-1].Offset + 1
	}
	for group, offsets := range map[string]map[int32]int64{"middle": middle, "end": end} {
		if err := commit(ctx, r.source.Bootstrap, group, offsets); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		err := r.translated(ctx, c)
		if err == nil {
			fmt.Println("mirror: the groups' offsets came over")
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("offsets of groups: %w", err)
		}
	}
}

// translated compares the groups' offsets at the target with the records there.
func (r *run) translated(ctx context.Context, c contents) error {
	middle, err := committed(ctx, r.Bootstrap, "middle")
	if err != nil {
		return err
	}
	end, err := committed(ctx, r.Bootstrap, "end")
	if err != nil {
		return err
	}
	for p := range int32(partitions) {
		// The copy is written in transactions too: its offsets are those of its own records and markers.
		last, half, err := r.copyOffsets(ctx, p, len(c.records[p]))
		if err != nil {
			return err
		}
		if end[p] != last+1 {
			return fmt.Errorf("group end, partition %d: offset %d, want %d", p, end[p], last+1)
		}
		if middle[p] <= 0 || middle[p] > half {
			return fmt.Errorf("group middle, partition %d: offset %d, want at most %d", p, middle[p], half)
		}
	}
	return nil
}

// copyOffsets are the offsets of the last and of the middle one of a partition's records at the target.
func (r *run) copyOffsets(
	ctx context.Context, partition int32, count int,
) (last, half int64, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Bootstrap),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(
			map[string]map[int32]kgo.Offset{copied: {partition: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return 0, 0, err
	}
	defer cl.Close()
	for n := 0; n < count; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, 0, err
		}
		for it := fetches.RecordIter(); !it.Done() && n < count; n++ {
			last = it.Next().Offset
			if n == count/2 {
				half = last
			}
		}
	}
	return last, half, nil
}

// groupClient speaks of topics by name in what is asked about groups, as clients did up to 4.0.
func groupClient(bootstrap string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.MaxVersions(kversion.V4_0_0()))
}

// commit commits offsets of a group that has no members.
func commit(ctx context.Context, bootstrap, group string, offsets map[int32]int64) error {
	cl, err := groupClient(bootstrap)
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group = group
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	for p, offset := range offsets {
		rp := kmsg.NewOffsetCommitRequestTopicPartition()
		rp.Partition, rp.Offset = p, offset
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("commit offsets of %s: %w", group, err)
	}
	for _, p := range res.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return fmt.Errorf("commit offsets of %s: %w", group, err)
		}
	}
	return nil
}

// committed are the offsets of a group at the target; a partition without one is absent.
func committed(ctx context.Context, bootstrap, group string) (map[int32]int64, error) {
	cl, err := groupClient(bootstrap)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Groups = append(req.Groups, g)
	res, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("fetch offsets of %s: %w", group, err)
	}
	got := map[int32]int64{}
	for _, t := range res.Groups[0].Topics {
		for _, p := range t.Partitions {
			if t.Topic == copied && p.Offset >= 0 {
				got[p.Partition] = p.Offset
			}
		}
	}
	return got, nil
}

// sameSettings requires that the settings of the source's topic came over.
func (r *run) sameSettings(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.Bootstrap))
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrDescribeConfigsRequest()
	q := kmsg.NewDescribeConfigsRequestResource()
	q.ResourceType, q.ResourceName = kmsg.ConfigResourceTypeTopic, copied
	q.ConfigNames = []string{"retention.ms", "max.message.bytes"}
	req.Resources = append(req.Resources, q)
	res, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("describe %s: %w", copied, err)
	}
	got := map[string]string{}
	for _, c := range res.Resources[0].Configs {
		if c.Value != nil {
			got[c.Name] = *c.Value
		}
	}
	if got["retention.ms"] != "864000000" || got["max.message.bytes"] != "2000000" {
		return fmt.Errorf("settings of the copy are %v", got)
	}
	return nil
}
