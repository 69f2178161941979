package jvm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	saveTime   = time.Minute
	metricTick = 200 * time.Millisecond

	unsavedMetric  = "varve_checkpointer_oldest_unsaved_seconds"
	restoredMetric = `varve_checkpointer_restored_partitions_total{possible_loss="true"}`
)

// errAgentNeeded is returned for what only an agent that the test started can do.
var errAgentNeeded = errors.New("only an agent of the test can lose its disk: leave -bootstrap out")

// LoseDisk seals topics, waits until all compacted topics are in checkpoints, kills the agent, deletes
// its data directory and starts it again. Clients live on. It fails where the agent does not say
// that it restored logs with possible loss.
func (t *Target) LoseDisk(ctx context.Context, topics ...string) error {
	if t.Agent == nil {
		return errAgentNeeded
	}
	for _, topic := range topics {
		if err := t.seal(ctx, topic); err != nil {
			return err
		}
	}
	if err := t.awaitMetric(ctx, unsavedMetric, func(v float64) bool { return v == 0 }); err != nil {
		return err
	}
	if err := t.Agent.Kill(); err != nil {
		return err
	}
	if err := os.RemoveAll(t.Path("disk-0")); err != nil {
		return fmt.Errorf("delete the data directory: %w", err)
	}
	if err := t.Agent.Start(ctx); err != nil {
		return err
	}
	return t.awaitMetric(ctx, restoredMetric, func(v float64) bool { return v > 0 })
}

// seal waits until every committed record of a topic is in the bucket.
func (t *Target) seal(ctx context.Context, topic string) error {
	address := t.Agent.HTTP() + "/v1/topics/" + url.PathEscape(topic) + "/seal?timeout=60s"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("seal %s: %w", topic, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		return fmt.Errorf("seal %s: %s: %s", topic, res.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// awaitMetric waits until a metric of the agent is as wanted.
func (t *Target) awaitMetric(ctx context.Context, name string, wanted func(float64) bool) error {
	ctx, cancel := context.WithTimeout(ctx, saveTime)
	defer cancel()
	ticker := time.NewTicker(metricTick)
	defer ticker.Stop()
	for {
		v, err := t.metric(ctx, name)
		if err == nil && wanted(v) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is %v (%w): %w", name, v, err, ctx.Err())
		}
	}
}

// metric reads one sample of the agent's metrics; one that is not there is 0.
func (t *Target) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Agent.HTTP()+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, nil
}
