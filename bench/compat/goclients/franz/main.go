// Command franz runs the written scenarios with franz-go (github.com/twmb/franz-go). It translates
// and nothing else: the steps and their measure are in package driver.
//
// Members run the callbacks of kgo with the rebalance blocked while records are printed and
// committed, as the library's documentation advises.
package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

// metadataAge is short, as the scenarios look at their changes at once.
const metadataAge = 100 * time.Millisecond

func main() {
	const module = "github.com/twmb/franz-go"
	os.Exit(driver.Run("franz-go", module, func(bootstrap string) (driver.Client, error) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.MetadataMinAge(metadataAge))
		if err != nil {
			return nil, err
		}
		return &franz{bootstrap, kadm.NewClient(cl)}, nil
	}))
}

type franz struct {
	bootstrap string
	adm       *kadm.Client
}

func (f *franz) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(opts, kgo.SeedBrokers(f.bootstrap), kgo.MetadataMinAge(metadataAge))...)
}

func (f *franz) Create(
	ctx context.Context, topic string, partitions int, settings map[string]string,
) error {
	configs := map[string]*string{}
	for name, value := range settings {
		configs[name] = kadm.StringPtr(value)
	}
	_, err := f.adm.CreateTopic(ctx, int32(partitions), 1, configs, topic)
	return err
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

func (f *franz) Produce(ctx context.Context, p driver.Produce) (int64, error) {
	opts := []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec(p.Codec)),
	}
	if !p.Idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	if p.BytesMax > 0 {
		opts = append(opts, kgo.ProducerBatchMaxBytes(int32(p.BytesMax)))
	}
	cl, err := f.client(opts...)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if p.BatchRecords == 0 {
		p.BatchRecords = len(p.Records)
	}
	promise := kgo.AbortingFirstErrPromise(cl)
	last := int64(-1)
	for chunk := range slices.Chunk(p.Records, p.BatchRecords) {
		for _, r := range records(p.Topic, chunk) {
			done := promise.Promise()
			cl.Produce(ctx, r, func(r *kgo.Record, err error) {
				last = max(last, r.Offset)
				done(r, err)
			})
		}
		if !p.Idempotent {
			if err := cl.Flush(ctx); err != nil {
				return 0, err
			}
		}
	}
	if err := promise.Err(); err != nil {
		return 0, err
	}
	return last, nil
}

func records(topic string, rs []driver.Record) []*kgo.Record {
	var out []*kgo.Record
	for _, r := range rs {
		k := &kgo.Record{
			Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
		}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		out = append(out, k)
	}
	return out
}

func (f *franz) Read(ctx context.Context, r driver.Read) ([]driver.Record, error) {
	opts := []kgo.Opt{
		kgo.ConsumePartitions(
			map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: kgo.NewOffset().At(r.From)}},
		),
	}
	if r.Committed {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if r.FetchBytes > 0 {
		opts = append(opts, kgo.FetchMaxPartitionBytes(int32(r.FetchBytes)))
	}
	cl, err := f.client(opts...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return driver.Collect(ctx, r, func(ctx context.Context) ([]driver.Record, error) {
		fetches := cl.PollFetches(ctx)
		var out []driver.Record
		fetches.EachRecord(func(k *kgo.Record) {
			d := driver.Record{
				Partition: k.Partition, Offset: k.Offset, Timestamp: k.Timestamp, Key: k.Key, Value: k.Value,
			}
			for _, h := range k.Headers {
				d.Headers = append(d.Headers, driver.Header(h))
			}
			out = append(out, d)
		})
		return out, fetches.Err()
	})
}

func (f *franz) OffsetFor(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	var listed kadm.ListedOffsets
	var err error
	switch at {
	case driver.Latest:
		listed, err = f.adm.ListEndOffsets(ctx, topic)
	case driver.Earliest:
		listed, err = f.adm.ListStartOffsets(ctx, topic)
	default:
		listed, err = f.adm.ListOffsetsAfterMilli(ctx, at, topic)
	}
	if err != nil {
		return 0, err
	}
	o, ok := listed.Lookup(topic, partition)
	if !ok {
		return 0, errors.New("no answer for the partition")
	}
	return o.Offset, o.Err
}

func (f *franz) Partitions(ctx context.Context, topic string) (n, led int, err error) {
	topics, err := f.adm.ListTopics(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	for _, p := range topics[topic].Partitions {
		n++
		if p.Leader >= 0 && p.Err == nil {
			led++
		}
	}
	return n, led, nil
}

func (f *franz) Code(err error) string {
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return driver.CodeExists
	case errors.Is(err, kerr.MessageTooLarge):
		return driver.CodeTooLarge
	case errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.ProducerFenced):
		return driver.CodeFenced
	}
	return ""
}

func (f *franz) Topics(ctx context.Context) ([]string, error) {
	topics, err := f.adm.ListTopics(ctx)
	return topics.Names(), err
}

func (f *franz) Settings(ctx context.Context, topic string) (map[string]string, error) {
	all, err := f.adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, err
	}
	one, err := all.On(topic, nil)
	settings := map[string]string{}
	for _, c := range one.Configs {
		settings[c.Key] = c.MaybeValue()
	}
	return settings, errors.Join(err, one.Err)
}

func (f *franz) Alter(ctx context.Context, topic, name, value string) error {
	alter := []kadm.AlterConfig{{Name: name, Value: &value}}
	all, err := f.adm.AlterTopicConfigs(ctx, alter, topic)
	if err != nil {
		return err
	}
	one, err := all.On(topic, nil)
	return errors.Join(err, one.Err)
}

func (f *franz) AddPartitions(ctx context.Context, topic string, total int) error {
	all, err := f.adm.UpdatePartitions(ctx, total, topic)
	if err != nil {
		return err
	}
	return all.Error()
}

func (f *franz) DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error {
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, before, -1)
	all, err := f.adm.DeleteRecords(ctx, offsets)
	if err != nil {
		return err
	}
	return all.Error()
}

func (f *franz) DeleteTopic(ctx context.Context, topic string) error {
	one, err := f.adm.DeleteTopic(ctx, topic)
	return errors.Join(err, one.Err)
}

func (f *franz) Commit(ctx context.Context, at driver.GroupOffset) error {
	var offsets kadm.Offsets
	offsets.AddOffset(at.Topic, at.Partition, at.Offset, -1)
	return f.adm.CommitAllOffsets(ctx, at.Group, offsets)
}

func (f *franz) Committed(ctx context.Context, at driver.GroupOffset) (int64, error) {
	offsets, err := f.adm.FetchOffsets(ctx, at.Group)
	if err != nil {
		return 0, err
	}
	o, ok := offsets.Lookup(at.Topic, at.Partition)
	if !ok {
		return -1, nil
	}
	return o.At, o.Err
}

func (f *franz) Groups(ctx context.Context) ([]string, error) {
	groups, err := f.adm.ListGroups(ctx)
	return groups.Groups(), err
}

func (f *franz) Describe(ctx context.Context, group string) (string, int, error) {
	all, err := f.adm.DescribeGroups(ctx, group)
	if err != nil {
		return "", 0, err
	}
	g := all[group]
	return g.State, len(g.Members), g.Err
}

func (f *franz) DeleteGroup(ctx context.Context, group string) error {
	one, err := f.adm.DeleteGroup(ctx, group)
	return errors.Join(err, one.Err)
}

// owned takes the partitions of one topic out of a callback's map.
func owned(topics map[string][]int32) []int32 {
	return slices.Concat(slices.Collect(maps.Values(topics))...)
}

func (f *franz) Member(ctx context.Context, m driver.Member, e *driver.Events) error {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(m.Group), kgo.ConsumeTopics(m.Topic), kgo.ClientID(m.ClientID),
		kgo.SessionTimeout(driver.SessionMillis * time.Millisecond),
		kgo.HeartbeatInterval(driver.HeartbeatMillis * time.Millisecond),
		kgo.RebalanceTimeout(driver.RebalanceMillis * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.OnPartitionsAssigned(
			func(_ context.Context, _ *kgo.Client, t map[string][]int32) { e.Gain(owned(t)) },
		),
		kgo.OnPartitionsRevoked(
			func(_ context.Context, _ *kgo.Client, t map[string][]int32) { e.Lose(owned(t)) },
		),
		kgo.OnPartitionsLost(
			func(_ context.Context, _ *kgo.Client, t map[string][]int32) { e.Lose(owned(t)) },
		),
	}
	switch {
	case m.Consumer:
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	case m.Cooperative:
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	default:
		opts = append(opts, kgo.Balancers(kgo.RangeBalancer()))
	}
	if m.Instance != "" {
		opts = append(opts, kgo.InstanceID(m.Instance))
	}
	cl, err := f.client(opts...)
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()
	for {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, each := range fetches.Errors() {
			if errors.Is(each.Err, kerr.FencedInstanceID) {
				return each.Err
			}
			println(each.Err.Error())
		}
		fetches.EachRecord(func(r *kgo.Record) { e.Record(r.Partition, r.Offset, r.Value) })
		if err := cl.CommitRecords(ctx, fetches.Records()...); err != nil {
			println("commit: " + err.Error())
		}
		cl.AllowRebalance()
	}
}
