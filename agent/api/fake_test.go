package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"

	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/kafka/settings"
)

// fake is a Backend in memory.
type fake struct {
	*fakeGroups
	mu       sync.Mutex
	agent    *settings.Agent
	agents   []Agent
	configs  AgentConfigs
	groups   map[string]map[string]string // their settings
	byName   map[string]*Topic
	byID     map[kafka.TopicID]*Topic
	parts    map[kafka.TopicPartition]*fakePartition
	nextID   byte
	producer kafka.ProducerID
	held     bool // new partitions hold their commits back until told
	txns     *txn.Machine
}

var (
	_ Backend   = (*fake)(nil)
	_ Partition = (*fakePartition)(nil)
)

func newFake() *fake {
	return &fake{
		fakeGroups: newFakeGroups(),
		agent:      settings.DefaultAgent(), agents: []Agent{{ID: 1, Host: "127.0.0.1", Port: 9092}},
		byName: make(map[string]*Topic), byID: make(map[kafka.TopicID]*Topic),
		parts: make(map[kafka.TopicPartition]*fakePartition), producer: 4000,
		txns: txn.New(txn.DefaultConfig(), 1),
	}
}

func (f *fake) ClusterID() string                       { return "fake-cluster" }
func (f *fake) AgentID() int32                          { return 1 }
func (f *fake) ControllerID() int32                     { return 1 }
func (f *fake) AgentConfigs(int32) AgentConfigs         { return f.configs }
func (f *fake) GroupConfigs(g string) map[string]string { return f.groups[g] }
func (f *fake) GroupsConfigured() []string              { return slices.Sorted(maps.Keys(f.groups)) }
func (f *fake) AgentSettings() *settings.Agent          { return f.agent }
func (f *fake) lock() func()                            { f.mu.Lock(); return f.mu.Unlock }
func (f *fake) partition(topic string) *fakePartition   { return f.at(topic, 0) }

func (f *fake) Agents() []Agent {
	defer f.lock()()
	return slices.Clone(f.agents)
}

func (f *fake) at(topic string, i int32) *fakePartition {
	defer f.lock()()
	return f.parts[kafka.TopicPartition{Topic: f.byName[topic].ID, Partition: i}]
}

func (f *fake) Topic(name string) (*Topic, bool) {
	defer f.lock()()
	t, ok := f.byName[name]
	return t, ok
}

func (f *fake) TopicByID(id kafka.TopicID) (*Topic, bool) {
	defer f.lock()()
	t, ok := f.byID[id]
	return t, ok
}

func (f *fake) AllTopics() []*Topic {
	defer f.lock()()
	all := slices.Collect(maps.Values(f.byName))
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func (f *fake) Partition(tp kafka.TopicPartition) (Partition, error) {
	defer f.lock()()
	p, ok := f.parts[tp]
	switch {
	case !ok:
		return nil, ErrUnknownPartition
	case f.byID[tp.Topic].Partitions[tp.Partition].Leader != 1:
		return nil, fmt.Errorf("%w: another does", ErrNotLeader)
	}
	return p, nil
}

func (f *fake) CreateTopics(_ context.Context, topics []NewTopic, dry bool) []CreateResult {
	defer f.lock()()
	out := make([]CreateResult, len(topics))
	for i, n := range topics {
		if _, ok := f.byName[n.Name]; ok {
			out[i].Err = ErrTopicExists
			continue
		}
		t := &Topic{Name: n.Name, Configs: n.Configs}
		t.Settings, out[i].Err = settings.FromConfigs(n.Configs, f.agent)
		f.grow(t, n.Partitions)
		out[i].Topic = t
		if dry {
			continue
		}
		f.nextID++
		t.ID = kafka.TopicID{15: f.nextID}
		f.store(t)
	}
	return out
}

func (f *fake) grow(t *Topic, n int32) {
	for int32(len(t.Partitions)) < n {
		t.Partitions = append(t.Partitions, PartitionState{
			Leader: 1, LeaderEpoch: 3, Replicas: []int32{1}, ISR: []int32{1},
		})
	}
}

func (f *fake) store(t *Topic) {
	f.byName[t.Name], f.byID[t.ID] = t, t
	for i := range t.Partitions {
		tp := kafka.TopicPartition{Topic: t.ID, Partition: int32(i)}
		if f.parts[tp] == nil {
			f.parts[tp] = &fakePartition{held: f.held, subscribers: make(map[int]func())}
		}
	}
}

func (f *fake) DeleteTopics(_ context.Context, ids []kafka.TopicID) []error {
	defer f.lock()()
	for _, id := range ids {
		delete(f.byName, f.byID[id].Name)
		delete(f.byID, id)
	}
	return make([]error, len(ids))
}

func (f *fake) CreatePartitions(_ context.Context, cs []NewPartitions, dry bool) []error {
	defer f.lock()()
	for _, c := range cs {
		t := *f.byID[c.Topic]
		if !dry {
			f.grow(&t, c.Count)
			f.store(&t)
		}
	}
	return make([]error, len(cs))
}

func (f *fake) AlterConfigs(_ context.Context, cs []ConfigChange, dry bool) []error {
	defer f.lock()()
	for _, c := range cs {
		switch {
		case dry:
		case c.Group != "":
			if f.groups == nil {
				f.groups = make(map[string]map[string]string)
			}
			f.groups[c.Group] = merged(f.groups[c.Group], c.Set, c.Delete)
			if len(f.groups[c.Group]) == 0 {
				delete(f.groups, c.Group)
			}
		case c.Topic.IsZero() && c.AllAgents:
			f.configs.DynamicDefault = merged(f.configs.DynamicDefault, c.Set, c.Delete)
		case c.Topic.IsZero():
			f.configs.Dynamic = merged(f.configs.Dynamic, c.Set, c.Delete)
		default:
			t := *f.byID[c.Topic]
			t.Configs = merged(t.Configs, c.Set, c.Delete)
			t.Settings, _ = settings.FromConfigs(t.Configs, f.agent)
			f.store(&t)
		}
	}
	return make([]error, len(cs))
}

func (f *fake) NextProducerID(context.Context) (kafka.ProducerID, error) {
	defer f.lock()()
	f.producer++
	return f.producer, nil
}

// fakePartition keeps batches in memory. What lies below cold answers as if from the bucket.
type fakePartition struct {
	mu         sync.Mutex
	batches    []record.Batch
	start, end kafka.Offset
	high       kafka.Offset
	held       bool
	mustFlush  bool
	cold       kafka.Offset
	coldGate   chan struct{} // cold reads wait for it
	// releaseOnRead makes all cold at the next read; empty gives no records.
	releaseOnRead, empty bool
	waiters              []func()
	subscribers          map[int]func()
	nextSub              int
	failWith             error
	reading              int // fetched and not released
}

func (p *fakePartition) Append(b []byte, o AppendOptions) (Appended, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failWith != nil {
		return Appended{}, p.failWith
	}
	batch := record.Batch(slices.Clone(b))
	batch.SetBaseOffset(p.end)
	batch.SetLeaderEpoch(3)
	p.batches = append(p.batches, batch)
	at := Appended{
		BaseOffset: p.end, NextOffset: batch.NextOffset(), LogStartOffset: p.start,
		AppendTime: o.AppendTime, MustFlush: p.mustFlush,
	}
	p.end = at.NextOffset
	if !p.held {
		p.high = p.end
		p.wake()
	}
	return at, nil
}

// wake calls subscribers. p.mu is held.
func (p *fakePartition) wake() {
	for _, fn := range p.subscribers {
		fn()
	}
}

func (p *fakePartition) OnCommitted(next kafka.Offset, fn func(error)) {
	p.mu.Lock()
	if p.high < next {
		p.waiters = append(p.waiters, func() { fn(nil) })
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	fn(nil)
}

// commit raises the high watermark to the end, as a follower would.
func (p *fakePartition) commit() {
	p.mu.Lock()
	p.high = p.end
	waiters := p.waiters
	p.waiters = nil
	p.wake()
	p.mu.Unlock()
	for _, fn := range waiters {
		fn()
	}
}

func (p *fakePartition) Offsets() Offsets {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Offsets{
		LogStart: p.start, LocalLogStart: max(p.start, p.cold), HighWatermark: p.high,
		LastStable: p.high, LogEnd: p.end, SealedEnd: p.cold,
	}
}

func (f *fake) LogDir() (LogDir, error) { return LogDir{"/fake", 1000, 400}, nil }

func (p *fakePartition) LocalBytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, b := range p.batches {
		n += len(b)
	}
	return int64(n)
}

func (p *fakePartition) LeaderEpoch() kafka.LeaderEpoch { return 3 }

func (p *fakePartition) Subscribe(fn func()) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nextSub++
	id := p.nextSub
	p.subscribers[id] = fn
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.subscribers, id)
	}
}

func (p *fakePartition) BytesBetween(from, until kafka.Offset, limit int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, b := range p.batches {
		if b.NextOffset() > from && b.NextOffset() <= until && n < limit {
			n += len(b)
		}
	}
	return n
}

func (p *fakePartition) Fetch(ctx context.Context, r FetchRange) (FetchData, error) {
	p.mu.Lock()
	if p.releaseOnRead {
		p.cold, p.releaseOnRead = p.end, false
	}
	cold, empty := r.From < p.cold, p.empty
	p.mu.Unlock()
	switch {
	case r.HotOnly && cold:
		return FetchData{}, ErrCold
	case empty:
		return FetchData{}, nil
	}
	if p.coldGate != nil && cold {
		select {
		case <-p.coldGate:
		case <-ctx.Done():
			return FetchData{}, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var d FetchData
	n := 0
	for _, b := range p.batches {
		if b.NextOffset() <= r.From || b.NextOffset() > r.Until {
			continue
		}
		if n+len(b) > r.BytesMax && (n > 0 || !r.MinOne) {
			break
		}
		n += len(b)
		d.Records = append(d.Records, b)
	}
	p.reading++
	d.Release = func() {
		p.mu.Lock()
		p.reading--
		p.mu.Unlock()
	}
	return d, nil
}

func (p *fakePartition) ListOffset(
	_ context.Context, ts kafka.Timestamp, bound kafka.Offset,
) (OffsetAt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ts {
	case Earliest:
		return OffsetAt{p.start, kafka.NoTimestamp, 3}, nil
	case EarliestLocal:
		return OffsetAt{max(p.start, p.cold), kafka.NoTimestamp, 3}, nil
	case LatestTiered, EarliestPendingUpload:
		return OffsetAt{kafka.NoOffset, kafka.NoTimestamp, -1}, nil
	}
	best := OffsetAt{kafka.NoOffset, kafka.NoTimestamp, -1}
	for _, b := range p.batches {
		it := b.Records(record.DefaultLimits())
		for it.Next() {
			r := it.Record()
			switch {
			case r.Offset >= bound:
			case ts == MaxTimestamp && r.Timestamp > best.Timestamp,
				ts >= 0 && r.Timestamp >= ts && best.Offset < 0:
				best = OffsetAt{r.Offset, r.Timestamp, 3}
			}
		}
		it.Close()
	}
	return best, nil
}

func (p *fakePartition) EpochEnd(_ context.Context, e kafka.LeaderEpoch) (EpochEnd, error) {
	if e < 3 {
		return EpochEnd{kafka.NoLeaderEpoch, kafka.NoOffset}, nil
	}
	return EpochEnd{3, p.Offsets().LogEnd}, nil
}

func (p *fakePartition) DeleteRecords(
	_ context.Context, before kafka.Offset,
) (kafka.Offset, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before == kafka.NoOffset {
		before = p.high
	}
	p.start = max(p.start, before)
	return p.start, nil
}
