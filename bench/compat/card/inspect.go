package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const inspectTimeMax = 10 * time.Second

// inspect reads what a passed scenario left in the log with a client that shows the batches' fields.
func inspect(ctx context.Context, s *server, r result, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeMax)
	defer cancel()
	switch r.Scenario {
	case "codecs":
		return inspectCodecs(ctx, s, r, prefix)
	case "idempotent":
		return inspectIdempotent(ctx, s, prefix)
	case "transactions":
		return inspectTransactions(ctx, s, prefix)
	}
	return nil
}

// read returns a partition's records up to its end offset.
func (s *server) read(
	ctx context.Context, topic string, partition int32, opts ...kgo.Opt,
) ([]*kgo.Record, error) {
	end, err := s.listOffset(ctx, topic, partition, -1)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts,
		kgo.SeedBrokers(s.bootstrap), kgo.FetchMaxWait(200*time.Millisecond), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}),
	)...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var all []*kgo.Record
	for next := int64(0); next < end; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
		})
	}
	return all, nil
}

func inspectCodecs(ctx context.Context, s *server, r result, prefix string) error {
	for code, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		if strings.Contains(r.Detail, "no "+codec) {
			continue
		}
		records, err := s.read(ctx, prefix+".codecs."+codec, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", codec, err)
		}
		if len(records) != 200 {
			return fmt.Errorf("%s: %d records", codec, len(records))
		}
		for _, r := range records {
			if int(r.Attrs.CompressionType()) != code {
				return fmt.Errorf("%s: offset %d has codec %d", codec, r.Offset, r.Attrs.CompressionType())
			}
		}
	}
	return nil
}

func inspectIdempotent(ctx context.Context, s *server, prefix string) error {
	records, err := s.read(ctx, prefix+".idempotent", 0)
	if err != nil {
		return err
	}
	if len(records) != 500 {
		return fmt.Errorf("%d records", len(records))
	}
	for i, r := range records {
		if r.ProducerID < 0 || r.ProducerID != records[0].ProducerID {
			return fmt.Errorf(
				"offset %d has producer id %d, the first %d", i, r.ProducerID, records[0].ProducerID,
			)
		}
	}
	return nil
}

func inspectTransactions(ctx context.Context, s *server, prefix string) error {
	for partition := range int32(2) {
		records, err := s.read(
			ctx, prefix+".transactions", partition, kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		)
		if err != nil {
			return fmt.Errorf("partition %d: %w", partition, err)
		}
		var want, got []string
		for _, letter := range []string{"a", "c"} {
			for i := int(partition); i < 50; i += 2 {
				want = append(want, fmt.Sprintf("%s%d", letter, i))
			}
		}
		for _, r := range records {
			if !r.Attrs.IsTransactional() {
				return fmt.Errorf("partition %d: offset %d is not transactional", partition, r.Offset)
			}
			got = append(got, string(r.Value))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			return fmt.Errorf("partition %d: committed are %d records: %v", partition, len(got), got)
		}
	}
	return nil
}
