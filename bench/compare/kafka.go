package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// kafkaBroker is the one that bench/peers/kafka.sh runs.
type kafkaBroker struct {
	script string
	env    []string
	data   string
	addr   string
	pid    int
	ready  time.Duration // from the start of its process until it answered
}

// startKafka starts the broker, unless it runs already or cannot on this machine, which is noted.
func (b *bench) startKafka(ctx context.Context) error {
	if b.kafka != nil || b.o.noKafka {
		return nil
	}
	k, err := b.newKafka(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.o.noKafka = true
		b.note("Kafka is left out: %v", err)
		b.say("Kafka is left out: %v", err)
		return nil
	}
	b.kafka = k
	return nil
}

func (b *bench) newKafka(ctx context.Context) (*kafkaBroker, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return nil, fmt.Errorf("%w; install Java 17 or later, and Maven", err)
	}
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	script, err := filepath.Abs(filepath.Join(b.o.root, "bench", "peers", "kafka.sh"))
	if err != nil {
		return nil, err
	}
	k := &kafkaBroker{script: script, data: b.path("kafka")}
	k.env = append(os.Environ(),
		"VARVE_KAFKA_DATA="+k.data, "VARVE_KAFKA_PORT="+strconv.Itoa(port))
	if k.addr, err = k.call(ctx, "start"); err != nil {
		return nil, err
	}
	pid, err := k.call(ctx, "pid")
	if err != nil {
		return nil, err
	}
	if k.pid, err = strconv.Atoi(pid); err != nil {
		return nil, err
	}
	k.ready, err = age(k.pid)
	return k, err
}

// dataDir is where its logs are.
func (k *kafkaBroker) dataDir() string { return filepath.Join(k.data, "node", "data") }

func (k *kafkaBroker) stop() error {
	_, err := k.call(context.Background(), "stop")
	return err
}

// call runs the script and gives what it printed.
func (k *kafkaBroker) call(ctx context.Context, verb string) (string, error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, k.script, verb)
	cmd.Env, cmd.Stdout, cmd.Stderr = k.env, &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kafka.sh %s: %w: %s", verb, err, strings.TrimSpace(problems.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
