package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/bench/process"
)

const (
	firstTime      = 1_700_000_000_000
	archived       = 3000 // records of compat.sealed in the bucket alone
	sealedRecords  = 4000
	manyPartitions = 10_000
	topicsTimeMax  = 8 * time.Minute
)

// startAtOnce has groups begin at once, as the peers' Kafka does.
const startAtOnce = "group.initial.rebalance.delay.ms=0"

// quickMembers make members of the consumer protocol as quick as the others. Kafka's tools print
// settings, and get an agent of their own that has Kafka's defaults for these.
var quickMembers = []string{
	startAtOnce,
	"group.consumer.session.timeout.ms=6000",
	"group.consumer.min.session.timeout.ms=1000",
	"group.consumer.heartbeat.interval.ms=500",
	"group.consumer.min.heartbeat.interval.ms=100",
}

// server is what the clients speak to: an agent of ours, or what -kafka names.
type server struct {
	bootstrap string
	cl        *kgo.Client
	varve     string
	agent     *process.Agent
	dir       string
}

func serve(ctx context.Context, o options, settings ...string) (*server, error) {
	s := &server{bootstrap: o.kafka, varve: o.varve}
	if o.kafka == "" {
		if err := s.start(ctx, settings); err != nil {
			s.stop()
			return nil, err
		}
	}
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(s.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.RequestRetries(10),
		kgo.UnknownTopicRetries(100),
	)
	if err != nil {
		s.stop()
		return nil, err
	}
	s.cl = cl
	return s, nil
}

func (s *server) start(ctx context.Context, settings []string) error {
	dir, err := os.MkdirTemp("", "varve-compat-")
	if err != nil {
		return err
	}
	s.dir = dir
	var args []string
	for _, setting := range settings {
		args = append(args, "--setting", setting)
	}
	s.agent, err = process.New(process.Config{
		Varve: s.varve, DataDir: filepath.Join(dir, "agent"), Store: "file://" + filepath.Join(dir, "bucket"),
		Args: append(args, "--stop-seal-time-max", "0s"),
	})
	if err != nil {
		return err
	}
	s.bootstrap = s.agent.Bootstrap()
	return s.agent.Start(ctx)
}

func (s *server) stop() {
	if s.cl != nil {
		s.cl.Close()
	}
	if s.agent != nil {
		if err := s.agent.Stop(); err != nil {
			progress("the agent: %v", err)
		}
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// create makes a topic with settings given as name, value in turn.
func (s *server) create(ctx context.Context, topic string, partitions int32, settings ...string) error {
	q := kmsg.NewCreateTopicsRequestTopic()
	q.Topic, q.NumPartitions, q.ReplicationFactor = topic, partitions, 1
	for i := 0; i < len(settings); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = settings[i], &settings[i+1]
		q.Configs = append(q.Configs, c)
	}
	r := kmsg.NewPtrCreateTopicsRequest()
	r.TimeoutMillis = int32(topicsTimeMax.Milliseconds())
	r.Topics = append(r.Topics, q)
	resp, err := r.RequestWith(ctx, s.cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// prepare makes the topics that all clients share.
func prepare(ctx context.Context, s *server, o options) error {
	ctx, cancel := context.WithTimeout(ctx, topicsTimeMax)
	defer cancel()
	if o.scenarios["sealed"] {
		if err := s.createSealed(ctx); err != nil {
			return fmt.Errorf("compat.sealed: %w", err)
		}
	}
	if o.scenarios["partitions"] {
		if err := s.createMany(ctx); err != nil {
			return fmt.Errorf("compat.partitions: %w", err)
		}
	}
	return nil
}

// createMany takes two steps, as Kafka refuses 10,000 partitions in one request.
func (s *server) createMany(ctx context.Context) error {
	const topic = "compat.partitions"
	if err := s.create(ctx, topic, manyPartitions/2); err != nil {
		return err
	}
	q := kmsg.NewCreatePartitionsRequestTopic()
	q.Topic, q.Count = topic, manyPartitions
	r := kmsg.NewPtrCreatePartitionsRequest()
	r.TimeoutMillis = int32(topicsTimeMax.Milliseconds())
	r.Topics = append(r.Topics, q)
	resp, err := r.RequestWith(ctx, s.cl)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return err
	}
	return s.awaitPartitions(ctx, topic, manyPartitions)
}

// awaitPartitions returns when the metadata has so many partitions, each with a leader, and the last
// one answers, for which Kafka takes minutes longer.
func (s *server) awaitPartitions(ctx context.Context, topic string, want int) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		r := kmsg.NewPtrMetadataRequest()
		r.Topics = append(r.Topics, t)
		resp, err := r.RequestWith(ctx, s.cl)
		if err != nil {
			return err
		}
		led := 0
		for _, p := range resp.Topics[0].Partitions {
			if p.Leader >= 0 && p.ErrorCode == 0 {
				led++
			}
		}
		if led == want {
			if _, err := s.listOffset(ctx, topic, int32(want-1), -1); err == nil {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d partitions have a leader: %w", led, want, ctx.Err())
		}
	}
}

func (s *server) createSealed(ctx context.Context) error {
	const topic = "compat.sealed"
	settings := []string{"retention.ms", "-1", "segment.bytes", "1048576"}
	if s.agent != nil {
		settings = append(settings, "local.retention.ms", "1")
	}
	if err := s.create(ctx, topic, 1, settings...); err != nil {
		return err
	}
	if err := s.fill(ctx, topic, 0, archived); err != nil {
		return err
	}
	if s.agent != nil {
		if err := s.release(ctx, topic); err != nil {
			return err
		}
	}
	return s.fill(ctx, topic, archived, sealedRecords)
}

func (s *server) fill(ctx context.Context, topic string, from, until int) error {
	var batch []*kgo.Record
	for i := from; i < until; i++ {
		batch = append(batch, &kgo.Record{
			Topic: topic, Value: fmt.Appendf(nil, "%06d%s", i, strings.Repeat("y", 500)),
			Timestamp: time.UnixMilli(firstTime + 1000*int64(i)),
		})
	}
	return s.cl.ProduceSync(ctx, batch...).FirstErr()
}

// release seals a topic until nothing of it is on the local disk.
func (s *server) release(ctx context.Context, topic string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		seal := exec.CommandContext(ctx, s.varve, "topic", "seal", topic, "--http",
			strings.TrimPrefix(s.agent.HTTP(), "http://"))
		if out, err := seal.CombinedOutput(); err != nil {
			return fmt.Errorf("varve topic seal: %w: %s", err, out)
		}
		const earliestLocal = -4
		switch offset, err := s.listOffset(ctx, topic, 0, earliestLocal); {
		case err != nil:
			return err
		case offset == archived:
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("segments are not released: %w", ctx.Err())
		}
	}
}

func (s *server) listOffset(
	ctx context.Context, topic string, partition int32, at int64,
) (int64, error) {
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, at, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	t.Partitions = append(t.Partitions, p)
	r := kmsg.NewPtrListOffsetsRequest()
	r.ReplicaID = -1
	r.Topics = append(r.Topics, t)
	resp, err := r.RequestWith(ctx, s.cl)
	if err != nil {
		return 0, err
	}
	got := resp.Topics[0].Partitions[0]
	return got.Offset, kerr.ErrorForCode(got.ErrorCode)
}
