package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/compaction/gc"
	"github.com/varve-log/varve/internal/objstore/open"
)

// readTime bounds one read of the topic.
const readTime = 2 * time.Minute

// checker reads the topic and compares it with the book.
type checker struct {
	bootstrap string
	book      *book
	// seen is, by partition, up to where earlier checks read.
	seen [partitions]int64
}

// newest checks what was appended since the last check.
func (c *checker) newest(ctx context.Context) error { return c.check(ctx, c.seen[:]) }

// all checks everything from the log start on.
func (c *checker) all(ctx context.Context) error { return c.check(ctx, make([]int64, partitions)) }

func (c *checker) check(ctx context.Context, froms []int64) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	froms = append([]int64(nil), froms...)
	acked, err := c.book.snapshot()
	if err != nil {
		return err
	}
	ends, err := c.ends(ctx)
	if err != nil {
		return err
	}
	// What is acked lies below the ends, which were asked for later.
	found, err := c.read(ctx, froms, ends)
	if err != nil {
		return err
	}
	if err := c.book.compare(acked, found, froms); err != nil {
		return err
	}
	copy(c.seen[:], ends)
	return nil
}

// ends are the high watermarks.
func (c *checker) ends(ctx context.Context) ([]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range int32(partitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	ends := make([]int64, partitions)
	for _, p := range res.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return nil, fmt.Errorf("list offsets of partition %d: %w", p.Partition, err)
		}
		ends[p.Partition] = p.Offset
	}
	return ends, nil
}

// read consumes [froms, ends) of every partition. Offsets must be dense and ids unique.
func (c *checker) read(ctx context.Context, froms, ends []int64) (map[string]place, error) {
	start := map[int32]kgo.Offset{}
	left := int64(0)
	for i := range froms {
		if froms[i] > ends[i] {
			return nil, fmt.Errorf("partition %d ends at %d, it was read up to %d before",
				i, ends[i], froms[i])
		}
		if froms[i] < ends[i] {
			start[int32(i)] = kgo.NewOffset().At(froms[i])
			left += ends[i] - froms[i]
		}
	}
	found := make(map[string]place, left)
	if left == 0 {
		return found, nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	next := append([]int64(nil), froms...)
	var bad error
	for left > 0 && bad == nil {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("consume, %d records missing: %w", left, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= ends[r.Partition] || bad != nil {
				return
			}
			if r.Offset != next[r.Partition] {
				bad = fmt.Errorf("partition %d: offset %d follows %d: offsets are not dense",
					r.Partition, r.Offset, next[r.Partition]-1)
				return
			}
			next[r.Partition]++
			left--
			id := string(r.Key)
			if before, twice := found[id]; twice {
				bad = fmt.Errorf("record %s is at %v and again at partition %d offset %d",
					id, before, r.Partition, r.Offset)
				return
			}
			found[id] = place{r.Partition, r.Offset}
		})
	}
	return found, bad
}

// checkBucket sweeps the bucket of the stopped agent once and wants nothing to be left over.
func checkBucket(ctx context.Context, url string, logger *slog.Logger) (err error) {
	store, err := open.Open(ctx, url, open.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	cat, err := catalog.Open(ctx, store, catalog.Options{Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cat.Close()) }()
	sweeper := gc.New(cat, gc.Options{Grace: -1, Stopped: true, Logger: logger})
	if _, err := sweeper.Run(ctx); err != nil {
		return fmt.Errorf("sweep the bucket: %w", err)
	}
	report, err := catalog.Fsck(ctx, store, catalog.FsckOptions{Deep: true})
	if err != nil {
		return fmt.Errorf("check the bucket: %w", err)
	}
	if !report.Clean() {
		return fmt.Errorf("the bucket is not clean after one sweep: %+v", report)
	}
	return nil
}
