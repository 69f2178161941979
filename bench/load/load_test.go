package load

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/varve-log/varve/agent"
	"github.com/varve-log/varve/bench/wire"
)

func startAgent(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cfg := agent.DefaultConfig()
	cfg.Listen, cfg.HTTP = "127.0.0.1:0", ""
	cfg.DataDir = filepath.Join(dir, "agent")
	cfg.Store = "file://" + filepath.Join(dir, "bucket")
	cfg.CacheBytesMax, cfg.StopSealTimeMax = 0, 0
	a, err := agent.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Stop() })
	return a.Addr().String()
}

func createTopic(t *testing.T, addr, topic string, partitions int32) *wire.Conn {
	t.Helper()
	conn, err := wire.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	configs := map[string]string{"remote.storage.enable": "false"}
	if err := conn.CreateTopic(t.Context(), topic, partitions, configs); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestLoadsAgainstAnAgent(t *testing.T) {
	addr := startAgent(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for name, change := range map[string]func(*Produce){
		"flat-out":    func(*Produce) {},
		"small":       func(p *Produce) { p.RecordBytes = 100 },
		"leader-acks": func(p *Produce) { p.Acks, p.InFlight = 1, 1 },
		"no-acks":     func(p *Produce) { p.Acks = 0 },
		"pre-encoded": func(p *Produce) { p.PreEncoded, p.BatchBytes = true, 64<<10 },
		"paced":       func(p *Produce) { p.Rate, p.Duration = 20_000, 200*time.Millisecond },
	} {
		conn := createTopic(t, addr, name, 2)
		p := DefaultProduce()
		p.Addr, p.Topic, p.BytesMax = addr, name, 8<<20
		change(&p)
		sent, err := p.Run(ctx)
		if err != nil || sent.Records == 0 {
			t.Fatalf("%s: %+v, %v", name, sent, err)
		}
		if p.Rate > 0 && (sent.Records != 4000 || sent.Latency.Count() != 4000) {
			t.Errorf("%s: %d records, %d latencies, want 4000", name, sent.Records, sent.Latency.Count())
		}
		for _, raw := range []bool{false, true} {
			if got := readAll(t, addr, name, raw); got != sent.Records {
				t.Errorf("%s: %d records sent, %d read (raw %v)", name, sent.Records, got, raw)
			}
		}
		if err := conn.DeleteTopic(name); err != nil {
			t.Error(err)
		}
	}
}

func readAll(t *testing.T, addr, topic string, raw bool) int64 {
	t.Helper()
	total := int64(0)
	for partition := range int32(2) {
		c := DefaultConsume()
		c.Addr, c.Topic, c.Partition, c.Raw = addr, topic, partition, raw
		got, err := c.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total += got.Records
	}
	return total
}

func TestAnErrorEndsTheRun(t *testing.T) {
	addr := startAgent(t)
	createTopic(t, addr, "t", 1)
	p := DefaultProduce()
	p.Addr, p.Topic = addr, "t"
	if _, err := p.Run(t.Context()); err == nil {
		t.Error("two connections on one partition are accepted")
	}
	p.Connections, p.BatchBytes = 1, 2<<20 // larger than message.max.bytes
	if got, err := p.Run(t.Context()); err == nil {
		t.Errorf("batches that the agent refuses: %+v and no error", got)
	}
}

func TestValidateNamesTheField(t *testing.T) {
	p := DefaultProduce()
	p.InFlight = 0
	if err := p.Validate(); err == nil {
		t.Error("no requests in flight are accepted")
	}
	p = DefaultProduce()
	p.Rate, p.PreEncoded = 1, true
	if err := p.Validate(); err == nil {
		t.Error("a paced run of one batch is accepted")
	}
}
