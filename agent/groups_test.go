package agent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupAgent is an agent whose groups do not wait long for members.
func groupAgent(t *testing.T) Config {
	cfg := testConfig(t)
	cfg.Settings = map[string]string{
		"group.initial.rebalance.delay.ms": "100", "group.min.session.timeout.ms": "500",
		"offsets.topic.num.partitions": "4",
	}
	return cfg
}

// member is a consumer in a group that says what it is assigned and what it reads.
type member struct {
	c    *kgo.Client
	stop context.CancelFunc
	done chan struct{}

	mu       sync.Mutex
	assigned map[int32]bool
	read     map[string]int
}

func joinGroup(t *testing.T, a *Agent, opts ...kgo.Opt) *member {
	t.Helper()
	m := &member{assigned: map[int32]bool{}, read: map[string]int{}, done: make(chan struct{})}
	taken := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { m.assign(gone, false) }
	opts = append([]kgo.Opt{
		kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.SessionTimeout(2 * time.Second),
		kgo.HeartbeatInterval(50 * time.Millisecond), kgo.AutoCommitInterval(100 * time.Millisecond),
		kgo.RebalanceTimeout(5 * time.Second),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			m.assign(got, true)
		}),
		kgo.OnPartitionsRevoked(taken), kgo.OnPartitionsLost(taken),
	}, opts...)
	m.c = client(t, a, opts...)
	ctx, cancel := context.WithCancel(testContext(t))
	m.stop = cancel
	go m.poll(ctx)
	return m
}

func (m *member) assign(partitions map[string][]int32, have bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range partitions["t"] {
		if have {
			m.assigned[p] = true
		} else {
			delete(m.assigned, p)
		}
	}
}

func (m *member) poll(ctx context.Context) {
	defer close(m.done)
	for ctx.Err() == nil {
		m.c.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			m.mu.Lock()
			m.read[string(r.Value)]++
			m.mu.Unlock()
		})
	}
}

// partitions lists what is assigned, in order.
func (m *member) partitions() []int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.assigned))
}

// crash ends a member without a word to the group.
func (m *member) crash() {
	m.stop()
	<-m.done
	m.c.CloseAllowingRebalance()
}

// leave ends a member in order: it commits what it has read.
func (m *member) leave(t *testing.T) {
	t.Helper()
	m.stop()
	<-m.done
	if err := m.c.CommitUncommittedOffsets(testContext(t)); err != nil {
		t.Error(err)
	}
	m.c.Close()
}

// shares waits until the members have these numbers of partitions, each partition with one of them.
func shares(t *testing.T, total int, members ...*member) {
	t.Helper()
	waitFor(t, func() error {
		seen := make(map[int32]bool)
		var have []int
		for _, m := range members {
			part := m.partitions()
			have = append(have, len(part))
			for _, p := range part {
				if seen[p] {
					return fmt.Errorf("partition %d is assigned twice", p)
				}
				seen[p] = true
			}
		}
		if len(seen) != total || slices.Max(have)-slices.Min(have) > 1 {
			return fmt.Errorf("shares are %v", have)
		}
		return nil
	})
}

// produced waits until the members together have read n values, and says how many came twice.
func produced(t *testing.T, n int, members ...*member) (again int) {
	t.Helper()
	waitFor(t, func() error {
		again = 0
		seen := make(map[string]int)
		for _, m := range members {
			m.mu.Lock()
			for v, times := range m.read {
				seen[v] += times
			}
			m.mu.Unlock()
		}
		for _, times := range seen {
			again += times - 1
		}
		if len(seen) != n {
			return fmt.Errorf("read %d values of %d", len(seen), n)
		}
		return nil
	})
	return again
}

// fill produces values to all partitions.
func fill(t *testing.T, a *Agent, from, n int) {
	t.Helper()
	c := client(t, a, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Topic: "t", Value: fmt.Appendf(nil, "v%d", from+i)})
	}
	if err := c.ProduceSync(testContext(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// committedBy fetches the offsets of the group for topic t, by partition; ErrorCode fails the test.
func committedBy(t *testing.T, a *Agent) map[int32]int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = "g"
	req.Groups = append(req.Groups, g)
	got := make(map[int32]int64)
	var resp *kmsg.OffsetFetchResponse
	waitFor(t, func() error {
		r, err := req.RequestWith(testContext(t), client(t, a))
		resp = r
		return err
	})
	noError(t, resp.Groups[0].ErrorCode)
	for _, topic := range resp.Groups[0].Topics {
		for _, p := range topic.Partitions {
			noError(t, p.ErrorCode)
			got[p.Partition] = p.Offset
		}
	}
	return got
}

func describe(t *testing.T, a *Agent) kmsg.DescribeGroupsResponseGroup {
	t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{"g"}
	resp, err := req.RequestWith(testContext(t), client(t, a))
	if err != nil {
		t.Fatal(err)
	}
	return resp.Groups[0]
}

// A group of three: they share, one leaves, one crashes, and every value is read.
func TestGroupOfThree(t *testing.T) {
	for name, balancer := range map[string]kgo.GroupBalancer{
		"eager": kgo.RangeBalancer(), "cooperative": kgo.CooperativeStickyBalancer(),
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, groupAgent(t))
			create(t, a, "t", 6)
			one := joinGroup(t, a, kgo.Balancers(balancer))
			shares(t, 6, one)
			two := joinGroup(t, a, kgo.Balancers(balancer))
			three := joinGroup(t, a, kgo.Balancers(balancer))
			shares(t, 6, one, two, three)
			fill(t, a, 0, 300)
			produced(t, 300, one, two, three)

			two.leave(t)
			shares(t, 6, one, three)
			fill(t, a, 300, 300)
			produced(t, 600, one, two, three)

			three.crash()
			shares(t, 6, one)
			fill(t, a, 600, 300)
			produced(t, 900, one, two, three)
			if g := describe(t, a); g.State != "Stable" || len(g.Members) != 1 {
				t.Errorf("described as %+v", g)
			}
			one.leave(t)
			if g := describe(t, a); g.State != "Empty" || len(g.Members) != 0 {
				t.Errorf("described as %+v", g)
			}
			var sum int64
			for _, offset := range committedBy(t, a) {
				sum += offset
			}
			if sum != 900 {
				t.Errorf("committed %v, together %d of 900", committedBy(t, a), sum)
			}
		})
	}
}

// A static member that comes back gets its partitions again without a rebalance of the others.
func TestStaticMemberComesBack(t *testing.T) {
	a := start(t, groupAgent(t))
	create(t, a, "t", 4)
	slow := kgo.SessionTimeout(20 * time.Second)
	eager := kgo.Balancers(kgo.RangeBalancer()) // rebalances once where others do twice
	one := joinGroup(t, a, kgo.InstanceID("one"), slow, eager)
	shares(t, 4, one) // so that it leads: a leader that comes back looks for changes, and rebalances
	two := joinGroup(t, a, kgo.InstanceID("two"), slow, eager)
	shares(t, 4, one, two)
	had := two.partitions()
	_, before := one.c.GroupMetadata()
	two.leave(t) // franz-go sends no LeaveGroup for a static member
	two = joinGroup(t, a, kgo.InstanceID("two"), slow, eager)
	waitFor(t, func() error {
		if got := two.partitions(); !slices.Equal(got, had) {
			return fmt.Errorf("assigned %v, had %v", got, had)
		}
		return nil
	})
	if _, after := one.c.GroupMetadata(); after != before {
		t.Errorf("generation was %d, is %d", before, after)
	}
}

// Offsets outlive the agent, by kill and by stop, and the members join the group again.
func TestGroupsOutliveTheAgent(t *testing.T) {
	cfg := groupAgent(t)
	a := start(t, cfg)
	create(t, a, "t", 3)
	cfg.Listen = a.Addr().String()
	m := joinGroup(t, a)
	fill(t, a, 0, 90)
	produced(t, 90, m)
	waitFor(t, func() error {
		if got := committedBy(t, a); fmt.Sprint(got) != "map[0:30 1:30 2:30]" {
			return fmt.Errorf("committed %v", got)
		}
		return nil
	})
	a.kill()
	a = start(t, cfg)
	if got := committedBy(t, a); fmt.Sprint(got) != "map[0:30 1:30 2:30]" {
		t.Fatalf("committed %v after a kill", got)
	}
	fill(t, a, 90, 90)
	if again := produced(t, 180, m); again != 0 {
		t.Errorf("%d values came twice", again)
	}
	m.leave(t)
	stop(t, a)
	a = start(t, cfg)
	if got := committedBy(t, a); fmt.Sprint(got) != "map[0:60 1:60 2:60]" {
		t.Fatalf("committed %v after a stop", got)
	}
	if g := describe(t, a); g.State != "Empty" || g.ProtocolType != "consumer" {
		t.Errorf("described as %+v", g)
	}
	remove(t, a, "t")
	waitFor(t, func() error {
		if got := committedBy(t, a); len(got) != 0 {
			return fmt.Errorf("committed %v for a topic that is gone", got)
		}
		return nil
	})
}

// waitFor tries until there is no error or the test's time is over.
func waitFor(t *testing.T, try func() error) {
	t.Helper()
	ctx := testContext(t)
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
