package compat

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent"
)

const (
	testTime  = 60 * time.Second
	firstTime = 1_700_000_000_000 // timestamp of the record at offset 0 in milliseconds
	archived  = 3000              // records that lie in the bucket alone
	records   = 4000              // records of the topic that crosses the seam
)

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	t.Cleanup(cancel)
	return ctx
}

// start runs an agent on an empty disk and an empty bucket.
func start(t *testing.T) *agent.Agent {
	t.Helper()
	dir := t.TempDir()
	cfg := agent.DefaultConfig()
	cfg.Listen, cfg.HTTP = "127.0.0.1:0", ""
	cfg.DataDir = filepath.Join(dir, "agent")
	cfg.Store = "file://" + filepath.Join(dir, "bucket")
	cfg.CacheBytesMax, cfg.SweepInterval, cfg.StopSealTimeMax = 16<<20, 0, 0
	a, err := agent.Start(testContext(t), cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func client(t *testing.T, a *agent.Agent, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(a.Addr().String()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// create makes a topic of one partition with settings given as name, value, name, value.
func create(t *testing.T, a *agent.Agent, topic string, settings ...string) {
	t.Helper()
	q := kmsg.NewCreateTopicsRequestTopic()
	q.Topic, q.NumPartitions, q.ReplicationFactor = topic, 1, 1
	for i := 0; i < len(settings); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = settings[i], &settings[i+1]
		q.Configs = append(q.Configs, c)
	}
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Topics = append(r.Topics, q)
	resp, err := r.RequestWith(testContext(t), client(t, a))
	if err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("create topic %s: %v, %+v", topic, err, resp)
	}
}

// value is the value of the record at an offset: long enough to fill segments.
func value(offset int) string { return fmt.Sprintf("%06d%s", offset, strings.Repeat("y", 500)) }

// seamTopic makes a topic whose first records lie in the bucket alone and whose last lie on the
// disk alone, one second apart.
func seamTopic(t *testing.T, a *agent.Agent, topic string) {
	t.Helper()
	create(t, a, topic,
		"segment.bytes", "1048576", "local.retention.ms", "1", "retention.ms", "-1")
	produce(t, a, topic, 0, archived)
	ctx := testContext(t)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		// A further seal finds nothing to do, and does not wait for the sealer's next look to release.
		if _, err := a.SealTopic(ctx, topic); err != nil {
			t.Fatal(err)
		}
		s, err := a.TopicSegments(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		if s.Partitions[0].LocalLogStartOffset == archived {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not released: %+v", s.Partitions[0])
		}
	}
	produce(t, a, topic, archived, records)
}

func produce(t *testing.T, a *agent.Agent, topic string, from, until int) {
	t.Helper()
	cl := client(t, a, kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(64<<10))
	var batch []*kgo.Record
	for i := from; i < until; i++ {
		batch = append(batch, &kgo.Record{
			Value: []byte(value(i)), Timestamp: time.UnixMilli(firstTime + 1000*int64(i)),
		})
	}
	if err := cl.ProduceSync(testContext(t), batch...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}
