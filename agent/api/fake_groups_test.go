package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/kafka"
)

// fakeGroups is a Groups over one machine, whose records are committed at once and kept nowhere. Timers
// run only as far as they are due at once.
type fakeGroups struct {
	mu      sync.Mutex
	m       *group.Machine
	token   coordinator.Token
	waiting map[coordinator.Token]chan coordinator.Reply
}

var _ Groups = (*fakeGroups)(nil)

type noTopics struct{}

func (noTopics) TopicID(string) (kafka.TopicID, bool) { return kafka.TopicID{}, false }

func (noTopics) Image() group.Image { return noTopics{} }

func (noTopics) Version() int64 { return 0 }

func (noTopics) ByName(string) (group.Topic, bool) { return group.Topic{}, false }

func (noTopics) ByID(kafka.TopicID) (group.Topic, bool) { return group.Topic{}, false }

func (noTopics) Each(func(group.Topic)) {}

func newFakeGroups() *fakeGroups {
	cfg := group.DefaultConfig()
	cfg.InitialRebalanceDelay = 0
	n := 0
	g := &fakeGroups{waiting: make(map[coordinator.Token]chan coordinator.Reply)}
	g.m = group.New(cfg, noTopics{}, func() string { n++; return fmt.Sprint(n) })
	g.take(g.m.Loaded(time.Now()))
	return g
}

func (g *fakeGroups) take(e coordinator.Effects) {
	for _, r := range e.Replies {
		if w := g.waiting[r.To]; w != nil {
			w <- r
			delete(g.waiting, r.To)
		}
	}
}

func askFake[T any](
	ctx context.Context, g *fakeGroups, do func(time.Time, coordinator.Token) coordinator.Effects,
) (T, error) {
	g.mu.Lock()
	g.token++
	answer := make(chan coordinator.Reply, 1)
	g.waiting[g.token] = answer
	g.take(do(time.Now(), g.token))
	for due := g.m.Due(); !due.IsZero() && !due.After(time.Now()); due = g.m.Due() {
		g.take(g.m.Tick(time.Now()))
	}
	g.mu.Unlock()
	var none T
	select {
	case r := <-answer:
		if v, ok := r.Value.(T); ok {
			return v, r.Err
		}
		return none, r.Err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

func (g *fakeGroups) JoinGroup(
	ctx context.Context, q group.JoinRequest,
) (group.JoinResponse, error) {
	return askFake[group.JoinResponse](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Join(now, to, q)
	})
}

func (g *fakeGroups) SyncGroup(
	ctx context.Context, q group.SyncRequest,
) (group.SyncResponse, error) {
	return askFake[group.SyncResponse](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Sync(now, to, q)
	})
}

func (g *fakeGroups) HeartbeatGroup(ctx context.Context, q group.HeartbeatRequest) error {
	_, err := askFake[any](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Heartbeat(now, to, q)
	})
	return err
}

func (g *fakeGroups) LeaveGroup(
	ctx context.Context, q group.LeaveRequest,
) (group.LeaveResponse, error) {
	return askFake[group.LeaveResponse](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Leave(now, to, q)
	})
}

func (g *fakeGroups) CommitOffsets(
	ctx context.Context, q group.CommitRequest,
) (group.CommitResponse, error) {
	return askFake[group.CommitResponse](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Commit(now, to, q)
	})
}

func (g *fakeGroups) CommitTransactionOffsets(
	ctx context.Context, _ string, q group.CommitRequest,
) (group.CommitResponse, error) {
	return g.CommitOffsets(ctx, q)
}

func (g *fakeGroups) FetchOffsets(
	ctx context.Context, q group.FetchRequest,
) (group.FetchResponse, error) {
	return askFake[group.FetchResponse](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Fetch(now, to, q)
	})
}

func (g *fakeGroups) DeleteOffsets(
	ctx context.Context, q group.DeleteOffsetsRequest,
) (group.DeleteOffsetsResponse, error) {
	return askFake[group.DeleteOffsetsResponse](
		ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
			return g.m.DeleteOffsets(now, to, q)
		})
}

func (g *fakeGroups) DeleteGroups(ctx context.Context, ids []string) []error {
	r, _ := askFake[group.DeleteResponse](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Delete(now, to, ids)
	})
	return r.Errs
}

func (g *fakeGroups) DescribeGroup(ctx context.Context, id string) (group.Described, error) {
	return askFake[group.Described](ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
		return g.m.Describe(now, to, id)
	})
}

func (g *fakeGroups) ConsumerHeartbeat(
	ctx context.Context, q group.ConsumerHeartbeatRequest,
) (group.ConsumerHeartbeatResponse, error) {
	return askFake[group.ConsumerHeartbeatResponse](
		ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
			return g.m.ConsumerHeartbeat(now, to, q)
		})
}

func (g *fakeGroups) DescribeConsumerGroup(
	ctx context.Context, id string,
) (group.ConsumerDescribed, error) {
	return askFake[group.ConsumerDescribed](
		ctx, g, func(now time.Time, to coordinator.Token) coordinator.Effects {
			return g.m.ConsumerDescribe(now, to, id)
		})
}

func (g *fakeGroups) ListGroups(q group.ListRequest) ([]group.Listed, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.m.List(q), nil
}
