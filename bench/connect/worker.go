package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/varve-log/varve/bench/jvm"
)

const (
	startTime = time.Minute
	pause     = 100 * time.Millisecond
)

// settings are the worker's, in the form of its properties file.
const settings = `bootstrap.servers=%s
listeners=http://%s
group.id=connect-workers
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=5
status.storage.partitions=2
offset.flush.interval.ms=1000
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
exactly.once.source.support=enabled
session.timeout.ms=6000
heartbeat.interval.ms=1000
scheduled.rebalance.max.delay.ms=1000
consumer.session.timeout.ms=6000
consumer.heartbeat.interval.ms=1000
`

// start runs the worker and waits until it answers.
func (r *run) start(ctx context.Context) (err error) {
	if r.rest == "" {
		if r.rest, err = freeAddress(); err != nil {
			return err
		}
	}
	file := r.Path("worker.properties")
	text := fmt.Sprintf(settings, r.Bootstrap, r.rest)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	r.worker, err = jvm.Start(jvm.Command{
		ClassPath: r.project.ClassPath(), Flags: []string{"-Xmx384m", r.logging},
		Class: "org.apache.kafka.connect.cli.ConnectDistributed", Args: []string{file},
		Log: r.Path("worker.log"),
	})
	if err != nil {
		return err
	}
	return r.await(ctx, startTime, "the worker's REST interface", func() (bool, string) {
		err := r.ask(ctx, http.MethodGet, "/connectors", nil)
		return err == nil, fmt.Sprint(err)
	})
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	address := l.Addr().String()
	return address, l.Close()
}

// createConnectors asks for the source and the sink.
func (r *run) createConnectors(ctx context.Context) error {
	connectors := []map[string]any{
		{"name": "source", "config": map[string]string{
			"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1",
			"file": r.input(), "topic": topic, "batch.size": "500",
		}},
		{"name": "sink", "config": map[string]string{
			"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1",
			"file": r.output(), "topics": topic,
		}},
	}
	for _, c := range connectors {
		body, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if err := r.ask(ctx, http.MethodPost, "/connectors", body); err != nil {
			return err
		}
	}
	return nil
}

// ask sends one request to the worker.
func (r *run) ask(ctx context.Context, method, path string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.rest+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		answer, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, strings.TrimSpace(string(answer)))
	}
	return nil
}

// await polls until something holds; an error tells the last state.
func (r *run) await(
	ctx context.Context, limit time.Duration, what string, holds func() (bool, string),
) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		ok, state := holds()
		if ok {
			return nil
		}
		select {
		case <-ticker.C:
		case <-r.worker.Done():
			return fmt.Errorf("%s: the worker ended: %w", what, r.worker.Err())
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %s", what, ctx.Err(), state)
		}
	}
}
