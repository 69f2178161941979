package group

import (
	"time"

	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/kafka"
)

// ConsumerHeartbeatRequest joins a consumer group, stays in it or leaves it (KIP-848). The reply is a
// ConsumerHeartbeatResponse. What is nil has not changed since the member said it last.
type ConsumerHeartbeatRequest struct {
	Version     int16
	Group       string
	MemberID    string
	MemberEpoch int32 // or EpochJoin, EpochLeave, EpochLeaveStatic
	InstanceID  *string
	Rack        *string
	Client      Client
	// RebalanceTimeout is how long the member may take to revoke partitions; negative: not said.
	RebalanceTimeout time.Duration
	Topics           []string
	Regex            *string
	Assignor         *string
	// Owned is what the member reads now; nil: not said.
	Owned assignor.Assignment
}

// full requests say all there is: what joining members and those that lost an answer send.
func (q *ConsumerHeartbeatRequest) full() bool {
	return q.RebalanceTimeout >= 0 && (q.Topics != nil || q.Regex != nil) && q.Owned != nil
}

// ConsumerHeartbeatResponse is where the member stands.
type ConsumerHeartbeatResponse struct {
	MemberID    string
	MemberEpoch int32
	// Interval until the next heartbeat; zero for one that left.
	Interval time.Duration
	// Assignment is nil where it did not change.
	Assignment assignor.Assignment
}

// ConsumerDescribed is all that ConsumerGroupDescribe tells of a group.
type ConsumerDescribed struct {
	Group           string
	State           string
	Epoch           int32
	AssignmentEpoch int32
	Assignor        string
	Members         []ConsumerMemberDescribed // by id
}

// ConsumerMemberDescribed is one member.
type ConsumerMemberDescribed struct {
	MemberID   string
	InstanceID *string
	Rack       *string
	Epoch      int32
	Client     Client
	Topics     []string
	Regex      string
	// Assigned includes what the member has yet to revoke. Topics that are gone are left out.
	Assigned, Target []AssignedTopic
	// Classic says that the member speaks the classic protocol.
	Classic bool
}

// AssignedTopic is partitions of a topic.
type AssignedTopic struct {
	ID         kafka.TopicID
	Name       string
	Partitions []int32
}
