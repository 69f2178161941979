package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/varve-log/varve/bench/process"
	"github.com/varve-log/varve/bench/wire"
)

// target is a running broker, or the sink.
type target struct {
	column string
	addr   string
	pid    int
	dir    string // where its data is
	http   string // base URL of an agent's HTTP side, where it is needed
	bare   bool   // the sink: no topics
	warm   int    // rounds of warm-up that it needs
	// configs of the topics of rows that are not about the bucket.
	configs map[string]string
}

// leftMax is how many bytes of deleted topics may still be on disk when the next run begins.
const leftMax = 64 << 20

// emptyTimeout bounds the wait for a deleted topic's files.
const emptyTimeout = time.Minute

// targets starts all that are not running yet.
func (b *bench) targets(ctx context.Context) ([]target, error) {
	if err := b.startVarve(ctx); err != nil {
		return nil, err
	}
	if err := b.startSink(ctx); err != nil {
		return nil, err
	}
	once := min(b.o.warmups, 1)
	list := []target{
		{
			column: colVarve, addr: b.varve.Bootstrap(), pid: b.varve.PID(), dir: b.path("varve"),
			warm: once, configs: map[string]string{"remote.storage.enable": "false"},
		},
		{
			column: colFloor, addr: b.sink.addr, pid: b.sink.pid(), dir: b.path("sink"), bare: true,
			warm: once,
		},
	}
	if err := b.startKafka(ctx); err != nil {
		return nil, err
	}
	if b.kafka != nil {
		list = append(list, target{
			column: colKafka, addr: b.kafka.addr, pid: b.kafka.pid, dir: b.kafka.dataDir(),
			warm: b.o.warmups,
		})
	}
	return list, nil
}

// path is a directory of this run.
func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// startVarve starts the agent on a file store that the rows about produce and fetch share.
func (b *bench) startVarve(ctx context.Context) error {
	if b.varve != nil {
		return nil
	}
	agent, err := b.agent("varve")
	if err != nil {
		return err
	}
	if err := agent.Start(ctx); err != nil {
		return err
	}
	b.varve = agent
	return nil
}

// agent makes an agent with disk and file store below a directory of this run.
func (b *bench) agent(name string, args ...string) (*process.Agent, error) {
	return process.New(process.Config{
		Varve: b.o.varve, DataDir: filepath.Join(b.path(name), "agent"),
		Store: "file://" + filepath.Join(b.path(name), "bucket"), Args: args,
	})
}

// alternate runs one after another on each target, in an order that turns each round, first to
// warm up and then measured.
func (b *bench) alternate(
	ctx context.Context, targets []target,
	one func(ctx context.Context, t target, measured bool) error,
) error {
	for round := -b.o.warmups; round < b.o.rounds; round++ {
		for i := range targets {
			t := targets[(i+round+b.o.warmups)%len(targets)]
			if round < -t.warm {
				continue
			}
			if err := one(ctx, t, round >= 0); err != nil {
				return fmt.Errorf("%s: %w", t.column, err)
			}
		}
	}
	return nil
}

// withTopic makes a topic for a run, deletes it afterwards and waits until its files are gone.
func (b *bench) withTopic(
	ctx context.Context, t target, partitions int, run func(topic string) error,
) error {
	if err := b.onTopic(ctx, t, partitions, run); err != nil {
		return err
	}
	return awaitEmpty(ctx, t.dir)
}

// onTopic is withTopic without the wait: for runs that leave something in topics that stay.
func (b *bench) onTopic(
	ctx context.Context, t target, partitions int, run func(topic string) error,
) (err error) {
	topic := b.topic()
	if !t.bare {
		conn, err := wire.Dial(ctx, t.addr)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if err := conn.CreateTopic(ctx, topic, int32(partitions), t.configs); err != nil {
			return err
		}
	}
	err = run(topic)
	if !t.bare {
		if deleted := b.deleteTopic(ctx, t.addr, topic); err == nil {
			err = deleted
		}
	}
	return err
}

func (b *bench) deleteTopic(ctx context.Context, addr, topic string) error {
	conn, err := wire.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.DeleteTopic(topic)
}

// awaitEmpty waits until a directory holds next to nothing.
func awaitEmpty(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, emptyTimeout)
	defer cancel()
	for {
		used := int64(0)
		_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil // files vanish while we look, which is what we wait for
			}
			if info, err := d.Info(); err == nil {
				if stat, ok := info.Sys().(*syscall.Stat_t); ok {
					used += stat.Blocks * 512
				}
			}
			return nil
		})
		if used <= leftMax {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%d bytes of deleted topics are still in %s: %w", used, dir, err)
		}
	}
}
