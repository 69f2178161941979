package agent

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func testConfig(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	cfg := DefaultConfig()
	cfg.Listen, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir = filepath.Join(dir, "agent")
	cfg.Store = "file://" + filepath.Join(dir, "bucket")
	cfg.CacheBytesMax = 16 << 20
	return cfg
}

func start(t *testing.T, cfg Config) *Agent {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	a, err := Start(ctx, cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func stop(t *testing.T, a *Agent) {
	t.Helper()
	if err := a.Stop(); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, a *Agent, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append(opts, kgo.SeedBrokers(a.Addr().String()), kgo.AllowAutoTopicCreation(),
		kgo.UnknownTopicRetries(3))
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func produce(t *testing.T, a *Agent, topic string, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := client(t, a)
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "value-%d", i)})
	}
	if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume expects the values from 0 to n in order.
func consume(t *testing.T, a *Agent, topic string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := client(t, a, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for got := 0; got < n; {
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

func TestRecordsOutliveTheDisk(t *testing.T) {
	cfg := testConfig(t)
	a := start(t, cfg)
	produce(t, a, "t", 0, 1000)
	consume(t, a, "t", 1000)
	stop(t, a)

	a = start(t, cfg)
	produce(t, a, "t", 1000, 1500)
	consume(t, a, "t", 1500)
	stop(t, a)

	cfg.DataDir = filepath.Join(t.TempDir(), "another-disk")
	a = start(t, cfg)
	produce(t, a, "t", 1500, 1600)
	consume(t, a, "t", 1600)
	stop(t, a)
}
