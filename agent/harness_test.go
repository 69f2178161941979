package agent

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/partition"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
)

// testTime bounds every wait of a test.
const testTime = 30 * time.Second

func testConfig(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	cfg := DefaultConfig()
	cfg.Listen, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir = filepath.Join(dir, "agent")
	cfg.Store = "file://" + filepath.Join(dir, "bucket")
	cfg.CacheBytesMax = 16 << 20
	cfg.SweepInterval = 0
	return cfg
}

// faults are what a test can make fail under an agent.
type faults struct {
	disk  *vfs.Faulty
	store *faulty.Store
}

// newFaults gives parts that work until the test says otherwise.
func newFaults() (*faults, parts) {
	f := &faults{disk: vfs.NewFaulty(vfs.OS())}
	with := testParts()
	with.fs = f.disk
	with.wrapStore = func(s objstore.Store) objstore.Store {
		f.store = faulty.New(s)
		return f.store
	}
	return f, with
}

// testParts are the real ones, with a sealer that looks often.
func testParts() parts {
	with := realParts()
	with.sealing.ScanInterval = 20 * time.Millisecond
	with.sealing.RetentionInterval = 20 * time.Millisecond
	with.cleanBackoff = 20 * time.Millisecond
	with.sealing.RetryPauseMin = 10 * time.Millisecond
	with.sealing.RetryPauseMax = 50 * time.Millisecond
	return with
}

// cutOff makes every call to the bucket fail until the store is Quiet.
func (f *faults) cutOff() { f.store.Add(faulty.Rule{Times: -1, Fault: faulty.Unavailable}) }

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	t.Cleanup(cancel)
	return ctx
}

func testLogger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func start(t *testing.T, cfg Config) *Agent {
	t.Helper()
	return startOn(t, cfg, testParts())
}

func startOn(t *testing.T, cfg Config, with parts) *Agent {
	t.Helper()
	a, err := startWith(testContext(t), cfg, testLogger(t), with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.kill() })
	return a
}

// refused expects the start to fail with a sentence that has the words.
func refused(t *testing.T, cfg Config, words ...string) {
	t.Helper()
	a, err := Start(testContext(t), cfg, testLogger(t))
	if err == nil {
		a.kill()
		t.Fatal("the agent started")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Fatalf("%q is not in: %v", w, err)
		}
	}
}

func stop(t *testing.T, a *Agent) {
	t.Helper()
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
}

// kill ends an agent as kill -9 does as far as its disk and its bucket can tell: nothing is sealed,
// no log is closed, no marker is written.
func (a *Agent) kill() {
	a.stopOnce.Do(func() {
		a.cancel()
		if a.stopSeal != nil {
			a.stopSeal()
		}
		a.closeCoordinators()
		if a.broker != nil {
			_ = a.broker.Close()
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if a.admin != nil {
			_ = a.admin.Close(ctx)
		}
		_ = a.workers.Wait()
		_ = a.closeRest()
	})
}

func client(t *testing.T, a *Agent, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{
		kgo.SeedBrokers(a.Addr().String()), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(3),
		kgo.MetadataMinAge(20 * time.Millisecond), kgo.ProducerLinger(0),
	}, opts...)
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// ask sends a request to the agent.
func ask[R kmsg.Response](t *testing.T, a *Agent, req kmsg.Request) R {
	t.Helper()
	c := client(t, a)
	defer c.Close()
	res, err := c.SeedBrokers()[0].Request(testContext(t), req)
	if err != nil {
		t.Fatal(err)
	}
	return res.(R)
}

func noError(t *testing.T, code int16) {
	t.Helper()
	if err := kerr.ErrorForCode(code); err != nil {
		t.Fatal(err)
	}
}

// create makes a topic with settings given as key, value, key, value.
func create(t *testing.T, a *Agent, topic string, partitions int32, configs ...string) {
	t.Helper()
	noError(t, tryCreate(t, a, topic, partitions, configs...))
}

func tryCreate(
	t *testing.T, a *Agent, topic string, partitions int32, configs ...string,
) int16 {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		rt.Configs = append(rt.Configs, c)
	}
	req.Topics = append(req.Topics, rt)
	return ask[*kmsg.CreateTopicsResponse](t, a, req).Topics[0].ErrorCode
}

func remove(t *testing.T, a *Agent, topic string) {
	t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &topic
	req.Topics = append(req.Topics, rt)
	req.TopicNames = []string{topic}
	noError(t, ask[*kmsg.DeleteTopicsResponse](t, a, req).Topics[0].ErrorCode)
}

func alter(t *testing.T, a *Agent, topic string, configs ...string) {
	t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		r.Configs = append(r.Configs, c)
	}
	req.Resources = append(req.Resources, r)
	noError(t, ask[*kmsg.IncrementalAlterConfigsResponse](t, a, req).Resources[0].ErrorCode)
}

// deleteRecords moves the log start of partition 0.
func deleteRecords(t *testing.T, a *Agent, topic string, before int64) int64 {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = before
	rt.Partitions = append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	req.TimeoutMillis = 10_000
	got := ask[*kmsg.DeleteRecordsResponse](t, a, req).Topics[0].Partitions[0]
	noError(t, got.ErrorCode)
	return got.LowWatermark
}

// offsetAt asks ListOffsets for partition 0.
func offsetAt(
	t *testing.T, a *Agent, topic string, timestamp int64,
) kmsg.ListOffsetsResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.TimeoutMillis = -1, 10_000
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = timestamp
	rt.Partitions = append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	got := ask[*kmsg.ListOffsetsResponse](t, a, req).Topics[0].Partitions[0]
	noError(t, got.ErrorCode)
	return got
}

// epochEnd asks OffsetForLeaderEpoch for partition 0.
func epochEnd(t *testing.T, a *Agent, topic string, epoch int32) (int32, int64) {
	t.Helper()
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	rt := kmsg.NewOffsetForLeaderEpochRequestTopic()
	rt.Topic = topic
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.LeaderEpoch = epoch
	rt.Partitions = append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	got := ask[*kmsg.OffsetForLeaderEpochResponse](t, a, req).Topics[0].Partitions[0]
	noError(t, got.ErrorCode)
	return got.LeaderEpoch, got.EndOffset
}

// tryFetch fetches partition 0 once and gives its error code and bytes.
func tryFetch(t *testing.T, a *Agent, topic string, offset int64) (int16, int) {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.SessionEpoch = 1<<20, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.TopicID = topicNamed(t, a, topic)
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = offset, 1<<20, -1
	rt.Partitions = append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	got := ask[*kmsg.FetchResponse](t, a, req).Topics[0].Partitions[0]
	return got.ErrorCode, len(got.RecordBatches)
}

func topicNamed(t *testing.T, a *Agent, name string) kafka.TopicID {
	t.Helper()
	topic, ok := a.Topic(name)
	if !ok {
		t.Fatalf("no topic %q", name)
	}
	return topic.ID
}

// replica is the open partition 0 of a topic.
func replica(t *testing.T, a *Agent, topic string) *partition.Partition {
	t.Helper()
	p := a.openReplica(kafka.TopicPartition{Topic: topicNamed(t, a, topic)})
	if p == nil {
		t.Fatalf("partition 0 of %q is not open", topic)
	}
	return p
}

// values makes records for partition 0, one batch each, whose values tell their offsets.
func values(topic string, from, to int) []*kgo.Record {
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "value-%d", i)})
	}
	return records
}

func produce(t *testing.T, a *Agent, topic string, from, to int) {
	t.Helper()
	c := client(t, a, kgo.ProducerBatchMaxBytes(512))
	defer c.Close() // or it would create a deleted topic again
	if err := c.ProduceSync(testContext(t), values(topic, from, to)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume expects the values from 0 to n in order.
func consume(t *testing.T, a *Agent, topic string, n int) {
	t.Helper()
	consumeFrom(t, a, topic, 0, n)
}

// consumeFrom expects the log to begin at an offset and the values from there to n in order.
func consumeFrom(t *testing.T, a *Agent, topic string, from, n int) {
	t.Helper()
	ctx := testContext(t)
	c := client(t, a, consumeAll(topic)...)
	defer c.Close()
	for got := from; got < n; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", got, n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if want := fmt.Sprintf("value-%d", got); string(r.Value) != want || r.Offset != int64(got) {
				t.Fatalf("record %d at offset %d is %q", got, r.Offset, r.Value)
			}
			got++
		})
	}
}

func consumeAll(topic string) []kgo.Opt {
	return []kgo.Opt{
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(200 * time.Millisecond),
	}
}

func seal(t *testing.T, a *Agent, topic string) {
	t.Helper()
	if _, err := a.SealTopic(testContext(t), topic); err != nil {
		t.Fatal(err)
	}
}

// await polls until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx := testContext(t)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-ticker.C:
		}
	}
}

// newDisk is the same agent on an empty data directory.
func newDisk(t *testing.T, cfg Config) Config {
	t.Helper()
	cfg.DataDir = filepath.Join(t.TempDir(), "new-disk")
	return cfg
}
