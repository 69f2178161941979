package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/varve-log/varve/bench/load"
)

// requestSegments is about how many segments are sealed to count requests.
const requestSegments = 40

// requestSegmentBytes is the size of those segments.
const requestSegmentBytes = 1 << 20

// requests counts requests to the store: of sealing by the metrics of an agent, of opening and
// finding on a catalog in memory.
func (b *bench) requests(ctx context.Context) error {
	if err := b.sealingRequests(ctx); err != nil {
		return err
	}
	open, byTime, err := findingRequests(ctx)
	if err != nil {
		return err
	}
	b.results.add(metric{"requests", getsToOpen}, colVarve, float64(open))
	b.results.add(metric{"requests", getsByTime}, colVarve, float64(byTime))
	return nil
}

// sealingRequests seals the segments of one partition and counts the agent's PUTs meanwhile.
func (b *bench) sealingRequests(ctx context.Context) error {
	defer func() { _ = os.RemoveAll(b.path("requests")) }()
	agent, err := b.agent("requests")
	if err != nil {
		return err
	}
	if err := agent.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = agent.Kill() }()
	topic := b.topic()
	configs := map[string]string{"segment.bytes": strconv.Itoa(requestSegmentBytes)}
	if err := createTopic(ctx, agent.Bootstrap(), topic, 1, configs); err != nil {
		return err
	}
	before, err := puts(ctx, agent.HTTP())
	if err != nil {
		return err
	}
	p := load.DefaultProduce()
	p.Addr, p.Topic, p.Connections, p.BatchBytes = agent.Bootstrap(), topic, 1, preEncodedBatch
	p.BytesMax, p.Duration = requestSegments*requestSegmentBytes, fillTimeMax
	if _, err := p.Run(ctx); err != nil {
		return err
	}
	if err := seal(ctx, agent.HTTP(), topic); err != nil {
		return err
	}
	after, err := puts(ctx, agent.HTTP())
	if err != nil {
		return err
	}
	s, err := segments(ctx, agent.HTTP(), topic)
	if err != nil {
		return err
	}
	count := int64(0)
	for _, run := range s.Partitions[0].Segments {
		if run.State == "sealed" || run.State == "released" {
			count += run.Segments
		}
	}
	if count == 0 {
		return fmt.Errorf("topic %s: no segment was sealed", topic)
	}
	b.results.add(metric{"requests", putsPerSegment}, colVarve, (after-before)/float64(count))
	return nil
}

// seal asks an agent to seal a topic, and waits until it has.
func seal(ctx context.Context, agent, topic string) error {
	url := agent + "/v1/topics/" + topic + "/seal?timeout=10m"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("seal topic %s: %s", topic, resp.Status)
	}
	return nil
}

// puts is how many PUTs an agent's metrics have counted.
func puts(ctx context.Context, agent string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, agent+"/metrics", http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	sum := 0.0
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "} ")
		if !ok || !strings.HasPrefix(name, "varve_objstore_requests_total{") ||
			!strings.Contains(name, `op="put"`) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, lines.Err()
}
