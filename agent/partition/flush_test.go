package partition

import (
	"log/slog"
	"math"
	"sync"
	"testing"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/kafka/settings"
)

// opened leads a log with a flush.messages in a memory disk.
func opened(t *testing.T, fs vfs.FS, flushMessages int64) *Partition {
	t.Helper()
	cfg := hotlog.DefaultConfig()
	cfg.FlushMessages = flushMessages
	log, err := hotlog.Open(fs, "/log", cfg, hotlog.Opening{},
		hotlog.Deps{Files: hotlog.NewFileSet(0)})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Parts{
		Log: log, Logger: slog.New(slog.DiscardHandler), LeaderEpoch: 1,
		Settings: settings.Topic{FlushMessages: flushMessages},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func appendOne(t *testing.T, p *Partition) kafka.Offset {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.Append(1000, nil, []byte("value"))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Append(batch, api.AppendOptions{RequiredAcks: -1})
	if err != nil {
		t.Error(err)
	}
	return got.NextOffset
}

// V1, shown on the crashable disk: whatever flush.messages=1 acked is there after a power loss.
func TestAckedRecordsSurviveAPowerLoss(t *testing.T) {
	for seed := range uint64(20) {
		disk := vfs.NewMem()
		p := opened(t, disk, 1)
		var mu sync.Mutex
		var acked kafka.Offset
		var crashed *vfs.Mem
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 20 {
					next := appendOne(t, p)
					done := make(chan struct{})
					p.OnCommitted(next, func(err error) {
						defer close(done)
						mu.Lock()
						defer mu.Unlock()
						if err == nil && crashed == nil {
							acked = max(acked, next)
						}
						if acked > kafka.Offset(10+2*seed) && crashed == nil {
							crashed = disk.CrashClone(seed)
						}
					})
					<-done
				}
			})
		}
		group.Wait()
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if crashed == nil {
			t.Fatal("nothing was acked")
		}
		after := opened(t, crashed, 1)
		if end := after.HighWatermark(); end < acked {
			t.Fatalf("seed %d: acked up to %d, %d are left", seed, acked, end)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Bug: an append that needs no flush committed one before it that waited for its own.
func TestNoAppendCommitsOneThatWaitsForItsFlush(t *testing.T) {
	gate := &gate{FS: vfs.NewMem(), open: make(chan struct{})}
	p := opened(t, gate, 3)
	for range 2 {
		appendOne(t, p)
	}
	if hw := p.HighWatermark(); hw != 2 {
		t.Fatalf("the high watermark is %d", hw)
	}
	appendOne(t, p) // the third asks for the flush
	last := appendOne(t, p)
	if hw := p.HighWatermark(); hw != 2 {
		t.Fatalf("the high watermark is %d before the flush", hw)
	}
	done := make(chan error, 1)
	p.OnCommitted(last, func(err error) { done <- err })
	close(gate.open)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// Bug: records that a killed process had not flushed counted as committed when the log was opened,
// and a producer's retry was acked from them.
func TestOpeningFlushesWhatAcksWaitFor(t *testing.T) {
	disk := vfs.NewMem()
	appendOne(t, opened(t, disk, math.MaxInt64)) // killed without a flush
	p := opened(t, disk, 1)
	if p.HighWatermark() != 1 || p.Log().FlushedOffset() != 1 {
		t.Fatalf("high watermark %d, flushed %d", p.HighWatermark(), p.Log().FlushedOffset())
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// gate holds every sync of data until it is opened.
type gate struct {
	vfs.FS
	open chan struct{}
}

func (g *gate) Create(name string) (vfs.File, error) {
	f, err := g.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return gated{f, g.open}, nil
}

type gated struct {
	vfs.File
	open chan struct{}
}

func (f gated) SyncData() error {
	<-f.open
	return f.File.SyncData()
}
