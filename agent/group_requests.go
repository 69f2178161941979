package agent

import (
	"context"
	"fmt"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
)

var _ api.Groups = (*Agent)(nil)

// JoinGroup implements api.Groups.
func (a *Agent) JoinGroup(ctx context.Context, q group.JoinRequest) (group.JoinResponse, error) {
	return askGroup[group.JoinResponse](ctx, a, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Join(now, to, q)
		})
}

// SyncGroup implements api.Groups.
func (a *Agent) SyncGroup(ctx context.Context, q group.SyncRequest) (group.SyncResponse, error) {
	return askGroup[group.SyncResponse](ctx, a, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Sync(now, to, q)
		})
}

// HeartbeatGroup implements api.Groups.
func (a *Agent) HeartbeatGroup(ctx context.Context, q group.HeartbeatRequest) error {
	_, err := a.askGroup(ctx, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Heartbeat(now, to, q)
		})
	return err
}

// LeaveGroup implements api.Groups.
func (a *Agent) LeaveGroup(ctx context.Context, q group.LeaveRequest) (group.LeaveResponse, error) {
	return askGroup[group.LeaveResponse](ctx, a, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Leave(now, to, q)
		})
}

// CommitOffsets implements api.Groups.
func (a *Agent) CommitOffsets(
	ctx context.Context, q group.CommitRequest,
) (group.CommitResponse, error) {
	return askGroup[group.CommitResponse](ctx, a, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Commit(now, to, q)
		})
}

// FetchOffsets implements api.Groups.
func (a *Agent) FetchOffsets(
	ctx context.Context, q group.FetchRequest,
) (group.FetchResponse, error) {
	return askGroup[group.FetchResponse](ctx, a, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Fetch(now, to, q)
		})
}

// DeleteOffsets implements api.Groups.
func (a *Agent) DeleteOffsets(
	ctx context.Context, q group.DeleteOffsetsRequest,
) (group.DeleteOffsetsResponse, error) {
	return askGroup[group.DeleteOffsetsResponse](ctx, a, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.DeleteOffsets(now, to, q)
		})
}

// DeleteGroups implements api.Groups.
func (a *Agent) DeleteGroups(ctx context.Context, ids []string) []error {
	errs := make([]error, len(ids))
	for i, id := range ids {
		r, err := askGroup[group.DeleteResponse](ctx, a, id,
			func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
				return m.Delete(now, to, []string{id})
			})
		if errs[i] = err; err == nil {
			errs[i] = r.Errs[0]
		}
	}
	return errs
}

// DescribeGroup implements api.Groups.
func (a *Agent) DescribeGroup(ctx context.Context, id string) (group.Described, error) {
	return askGroup[group.Described](ctx, a, id,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Describe(now, to, id)
		})
}

// ConsumerHeartbeat implements api.Groups.
func (a *Agent) ConsumerHeartbeat(
	ctx context.Context, q group.ConsumerHeartbeatRequest,
) (group.ConsumerHeartbeatResponse, error) {
	return askGroup[group.ConsumerHeartbeatResponse](ctx, a, q.Group,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.ConsumerHeartbeat(now, to, q)
		})
}

// DescribeConsumerGroup implements api.Groups.
func (a *Agent) DescribeConsumerGroup(
	ctx context.Context, id string,
) (group.ConsumerDescribed, error) {
	return askGroup[group.ConsumerDescribed](ctx, a, id,
		func(m *group.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.ConsumerDescribe(now, to, id)
		})
}

// ListGroups implements api.Groups.
func (a *Agent) ListGroups(q group.ListRequest) ([]group.Listed, error) {
	var all []group.Listed
	loading := a.groups.Each(func(_ int32, m *group.Machine, _ time.Time) {
		all = append(all, m.List(q)...)
	})
	if len(loading) > 0 {
		return nil, fmt.Errorf("%w: %d partitions of %s",
			coordinator.ErrLoading, len(loading), coordinator.OffsetsTopic)
	}
	return all, nil
}

// forgetTopics lets the groups delete the offsets of topics that are in one topology and not in the
// next.
func (a *Agent) forgetTopics(now, before *topology) {
	if before == nil {
		return
	}
	var gone []group.DeletedTopic
	for id, topic := range before.byID {
		if now.byID[id] == nil {
			gone = append(gone, group.DeletedTopic{Name: topic.Name, ID: id})
		}
	}
	if len(gone) > 0 {
		a.groups.TellAll(func(m *group.Machine, at time.Time) coordinator.Effects {
			return m.TopicsDeleted(at, gone)
		})
	}
}
