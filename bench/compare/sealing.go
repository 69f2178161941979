package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/varve-log/varve/agent/admin"
	"github.com/varve-log/varve/bench/load"
	"github.com/varve-log/varve/bench/wire"
)

// fillTimeMax bounds the making of data that is read afterwards.
const fillTimeMax = 10 * time.Minute

// halfTimeMin is how long the runs at half the rate are: several segments are sealed in it.
const halfTimeMin = 12 * time.Second

// backlogEvery is how often the backlog is looked at.
const backlogEvery = 250 * time.Millisecond

// sealed are the settings of topics that are sealed while they are produced to.
var sealed = map[string]string{
	"remote.storage.enable": "true",
	"segment.bytes":         "67108864",
	"local.retention.bytes": "268435456",
}

// sealing measures what sealing into a file store on the same disk does to produce.
func (b *bench) sealing(ctx context.Context) error {
	// What is sealed of deleted topics is swept soon: it would fill the disk.
	agent, err := b.agent("sealing", "--sweep-interval", "5s", "--sweep-grace", "1s")
	if err != nil {
		return err
	}
	if err := agent.Start(ctx); err != nil {
		return err
	}
	defer func() {
		_ = agent.Kill()
		_ = os.RemoveAll(b.path("sealing"))
	}()
	plain := target{
		column: colVarve, addr: agent.Bootstrap(), pid: agent.PID(), dir: b.path("sealing/agent"),
		http: agent.HTTP(), configs: map[string]string{"remote.storage.enable": "false"},
	}
	if err := b.disk(ctx); err != nil {
		return err
	}
	tiered := plain
	tiered.configs = sealed
	if err := b.sealingFull(ctx, plain, tiered); err != nil {
		return err
	}
	rate := b.results.median(metric{"sealing", sealingOff}, colVarve) * 1e6 / (1 << 10) / 2
	return b.sealingHalf(ctx, plain, tiered, rate)
}

// diskBytes is how much is written to learn the disk's speed.
const diskBytes = 512 << 20

// disk measures how fast the disk takes a file: what is sealed is on it before it counts as sealed,
// so no backlog is worked off faster.
func (b *bench) disk(ctx context.Context) error {
	for range b.o.rounds {
		if err := b.touch(ctx); err != nil {
			return err
		}
		start := time.Now()
		if err := writeSynced(b.path("sealing/disk"), diskBytes); err != nil {
			return fmt.Errorf("write to the disk: %w", err)
		}
		speed := diskBytes / 1e6 / time.Since(start).Seconds()
		b.results.add(metric{"sealing", diskSpeed}, colFloor, speed)
	}
	return nil
}

// writeSynced writes a file, has it on the disk, and removes it.
func writeSynced(path string, size int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	block := make([]byte, 1<<20)
	for range size / len(block) {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	return f.Sync()
}

func (b *bench) sealingFull(ctx context.Context, plain, tiered target) error {
	for round := range b.o.rounds {
		for i := range 2 {
			t, name := plain, sealingOff
			if (i+round)%2 == 1 {
				t, name = tiered, sealingOn
			}
			m, err := b.produce(ctx, t, encoded(1<<10)(b))
			if err != nil {
				return err
			}
			b.results.add(metric{"sealing", name}, colVarve, m.megabytesPerSecond())
		}
	}
	return nil
}

func (b *bench) sealingHalf(ctx context.Context, plain, tiered target, rate float64) error {
	p := b.paced(rate, lanes)
	p.Duration = max(p.Duration, halfTimeMin)
	for round := range b.o.rounds {
		for i := range 2 {
			if (i+round)%2 == 0 {
				m, err := b.produce(ctx, plain, p)
				if err != nil {
					return err
				}
				b.results.add(metric{"sealing", halfP99Off}, colVarve, quantile(m, 0.99))
				continue
			}
			if err := b.halfSealed(ctx, tiered, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// halfSealed is a paced run on a topic that is sealed, with a look at what waits to be sealed.
func (b *bench) halfSealed(ctx context.Context, t target, p load.Produce) error {
	return b.withTopic(ctx, t, lanes, func(topic string) error {
		p.Addr, p.Topic = t.addr, topic
		var samples []backlogSample
		watching, stop := context.WithCancel(ctx)
		var watcher sync.WaitGroup
		watcher.Go(func() { samples = watchBacklog(watching, t.http, topic) })
		m, err := b.timed(ctx, t, p.Run)
		stop()
		watcher.Wait()
		if err != nil {
			return err
		}
		b.results.add(metric{"sealing", halfP99On}, colVarve, quantile(m, 0.99))
		growth := slope(samples) * float64(p.RecordBytes) / m.BytesPerSecond()
		b.results.add(metric{"sealing", backlogGrowth}, colVarve, growth)
		return nil
	})
}

// backlogSample is how many records waited to be sealed at a time.
type backlogSample struct {
	at      time.Time
	records int64
}

// watchBacklog looks until ctx ends.
func watchBacklog(ctx context.Context, agent, topic string) []backlogSample {
	var samples []backlogSample
	for pause(ctx, backlogEvery) == nil {
		s, err := segments(ctx, agent, topic)
		if err != nil {
			continue
		}
		waiting := int64(0)
		for _, p := range s.Partitions {
			waiting += int64(p.LogEndOffset - max(p.VerifiedEnd, p.LogStartOffset))
		}
		samples = append(samples, backlogSample{time.Now(), waiting})
	}
	return samples
}

// segments asks the agent what of a topic is where.
func segments(ctx context.Context, agent, topic string) (s admin.TopicSegments, err error) {
	err = getJSON(ctx, agent+"/v1/topics/"+topic+"/segments", &s)
	return s, err
}

// slope is the growth in records per second between the means of the second and the last third: the
// first fills the pipeline.
func slope(samples []backlogSample) float64 {
	third := len(samples) / 3
	if third == 0 {
		return 0
	}
	early, late := samples[third:2*third], samples[len(samples)-third:]
	seconds := late[0].at.Sub(early[0].at).Seconds()
	return (mean(late) - mean(early)) / seconds
}

func mean(samples []backlogSample) float64 {
	sum := int64(0)
	for _, s := range samples {
		sum += s.records
	}
	return float64(sum) / float64(len(samples))
}

// getJSON decodes the answer of a GET.
func getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// createTopic makes a topic by a connection of its own.
func createTopic(
	ctx context.Context, addr, topic string, partitions int, configs map[string]string,
) error {
	conn, err := wire.Dial(ctx, addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.CreateTopic(ctx, topic, int32(partitions), configs)
}
