package jvm

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Kafka is a broker of Apache Kafka that bench/peers/kafka.sh runs.
type Kafka struct {
	Bootstrap string
	script    string
	env       []string
}

// StartKafka runs a broker with its data in the test's directory. The project is that of pom.xml here.
func StartKafka(ctx context.Context, t *Target, p Project) (*Kafka, error) {
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	script, err := filepath.Abs(filepath.Join(t.Root, "bench", "peers", "kafka.sh"))
	if err != nil {
		return nil, fmt.Errorf("find the script that starts Kafka: %w", err)
	}
	k := &Kafka{script: script, env: append(os.Environ(),
		"VARVE_KAFKA_DIR="+p.Dir, "VARVE_KAFKA_DATA="+t.Path("kafka"), "VARVE_KAFKA_HEAP=384m",
		"VARVE_KAFKA_PORT="+strconv.Itoa(port))}
	if k.Bootstrap, err = k.call(ctx, "start"); err != nil {
		return nil, err
	}
	return k, nil
}

// Stop ends the broker and removes its data.
func (k *Kafka) Stop() {
	_, _ = k.call(context.Background(), "stop") // the test has its result
}

func (k *Kafka) call(ctx context.Context, command string) (string, error) {
	cmd := exec.CommandContext(ctx, k.script, command)
	cmd.Env = k.env
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("kafka.sh %s: %w", command, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// freePorts finds a port whose next one is free too: the broker's and its controller's.
func freePorts() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find free ports: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1))
		_ = l.Close()
		if err == nil {
			return port, next.Close()
		}
	}
	return 0, fmt.Errorf("find free ports: %w", os.ErrNotExist)
}
