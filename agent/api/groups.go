package api

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group"
	"github.com/varve-log/varve/kafka"
)

// Groups are the group coordinators of this agent. Errors of all that asks a coordinator: those of
// packages group and coordinator, or ctx's; after ctx's the request may still take effect.
type Groups interface {
	// JoinGroup waits until the group's next generation begins.
	JoinGroup(ctx context.Context, q group.JoinRequest) (group.JoinResponse, error)
	// SyncGroup waits for the leader's assignment.
	SyncGroup(ctx context.Context, q group.SyncRequest) (group.SyncResponse, error)
	// HeartbeatGroup keeps a member's session.
	HeartbeatGroup(ctx context.Context, q group.HeartbeatRequest) error
	// LeaveGroup takes members out of a group.
	LeaveGroup(ctx context.Context, q group.LeaveRequest) (group.LeaveResponse, error)
	// CommitOffsets commits offsets, outside of transactions.
	CommitOffsets(ctx context.Context, q group.CommitRequest) (group.CommitResponse, error)
	// CommitTransactionOffsets commits offsets in the transaction of q.Producer, which must be that of
	// the transactional id. Errors: those of package txn, too.
	CommitTransactionOffsets(
		ctx context.Context, transactionalID string, q group.CommitRequest,
	) (group.CommitResponse, error)
	// FetchOffsets gives committed offsets.
	FetchOffsets(ctx context.Context, q group.FetchRequest) (group.FetchResponse, error)
	// DeleteOffsets deletes committed offsets.
	DeleteOffsets(
		ctx context.Context, q group.DeleteOffsetsRequest,
	) (group.DeleteOffsetsResponse, error)
	// DeleteGroups deletes groups, one error or nil for each.
	DeleteGroups(ctx context.Context, ids []string) []error
	// DescribeGroup describes a classic group.
	DescribeGroup(ctx context.Context, id string) (group.Described, error)
	// ConsumerHeartbeat joins a consumer group, stays in it or leaves it.
	ConsumerHeartbeat(
		ctx context.Context, q group.ConsumerHeartbeatRequest,
	) (group.ConsumerHeartbeatResponse, error)
	// DescribeConsumerGroup describes a group of the consumer protocol.
	DescribeConsumerGroup(ctx context.Context, id string) (group.ConsumerDescribed, error)
	// ListGroups lists the groups of all coordinators here. coordinator.ErrLoading: some are not loaded
	// yet.
	ListGroups(q group.ListRequest) ([]group.Listed, error)
}

// groupOps are the operations on a group that everyone may do: READ, DELETE, DESCRIBE,
// DESCRIBE_CONFIGS and ALTER_CONFIGS.
const groupOps int32 = 1<<3 | 1<<6 | 1<<8 | 1<<10 | 1<<11

// groupCode is the code of a group coordinator's error. A wait that took too long is answered as Kafka
// answers an append that did.
func groupCode(err error) code {
	switch {
	case err == nil:
		return codeNone
	case errors.Is(err, context.DeadlineExceeded):
		return kerr.CoordinatorNotAvailable.Code
	}
	for _, e := range []error{
		coordinator.ErrNotCoordinator, coordinator.ErrLoading, coordinator.ErrNotAvailable,
	} {
		if errors.Is(err, e) {
			return codeOf(e) // not that of its cause
		}
	}
	return codeOf(err)
}

// commitWait bounds what has to be committed to the group's log.
func (h *Handler) commitWait(ctx context.Context) (context.Context, context.CancelFunc) {
	c := &patience{Context: ctx, wait: h.backend.AgentSettings().Groups.OffsetsCommitTimeout}
	return c, c.end
}

// patience is a context, for one goroutine, with a timeout that begins when it is first waited for: most
// requests of groups are answered at once, and a timer for each would cost more than they do.
type patience struct {
	context.Context
	wait   time.Duration
	once   sync.Once
	timed  context.Context
	cancel context.CancelFunc
}

// Done begins the wait.
func (c *patience) Done() <-chan struct{} {
	c.once.Do(func() { c.timed, c.cancel = context.WithTimeout(c.Context, c.wait) })
	return c.timed.Done()
}

// Err is nil before the wait begins, unless the request's own context has ended.
func (c *patience) Err() error {
	if c.timed != nil {
		return c.timed.Err()
	}
	return c.Context.Err()
}

// end frees the timer.
func (c *patience) end() {
	if c.cancel != nil {
		c.cancel()
	}
}

// clientOf is who sent a request, in Kafka's text form.
func clientOf(r *broker.Request) group.Client {
	c := group.Client{ID: r.ClientID, Host: "/"}
	if at, ok := r.RemoteAddr().(*net.TCPAddr); ok {
		c.Host += at.IP.String()
	}
	return c
}

func millis(n int32) time.Duration { return time.Duration(max(n, 0)) * time.Millisecond }

// textOf is a string that may be null.
func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// hasPartition reports whether a topic has a partition.
func (t *Topic) hasPartition(n int32) bool { return n >= 0 && int(n) < len(t.Partitions) }

// committable finds the topic of a commit, by id where the version has ids. Without one the error says
// what its partitions are answered with.
func (h *Handler) committable(byID bool, name string, id kafka.TopicID) (*Topic, error) {
	if byID {
		if t, ok := h.backend.TopicByID(id); ok {
			return t, nil
		}
		return nil, ErrUnknownTopicID
	}
	if t, ok := h.backend.Topic(name); ok {
		return t, nil
	}
	return nil, ErrUnknownTopic
}
