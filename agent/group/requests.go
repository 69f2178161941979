package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Client is who sends a request.
type Client struct {
	ID   string // client.id
	Host string // its address, written as Kafka does: "/127.0.0.1"
}

// Protocol is an assignment strategy that a member knows, with what it says in it.
type Protocol struct {
	Name     string
	Metadata []byte
}

// JoinRequest asks to be a member of the next generation. The reply is a JoinResponse.
type JoinRequest struct {
	Group            string
	MemberID         string // empty: a new member
	InstanceID       *string
	Client           Client
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	ProtocolType     string
	Protocols        []Protocol // the first is liked best
	// RequireMemberID: a new dynamic member is told an id to join with (version 4 and up, KIP-394).
	RequireMemberID bool
	// SkipAssignment: the client understands JoinResponse.SkipAssignment (version 9 and up).
	SkipAssignment bool
	Reason         string
}

// JoinResponse is a member's place in a generation.
type JoinResponse struct {
	Generation     int32
	ProtocolType   *string
	ProtocolName   *string
	Leader         string
	SkipAssignment bool
	MemberID       string
	Members        []JoinedMember // the leader's answer only
}

// JoinedMember is what the leader learns of a member.
type JoinedMember struct {
	MemberID   string
	InstanceID *string
	Metadata   []byte
}

// SyncRequest asks for the assignment of a generation, and from the leader brings it. The reply is a
// SyncResponse.
type SyncRequest struct {
	Group        string
	Generation   int32
	MemberID     string
	InstanceID   *string
	ProtocolType *string // nil: not said
	ProtocolName *string
	Assignments  map[string][]byte // by member id
}

// SyncResponse is a member's assignment.
type SyncResponse struct {
	ProtocolType *string
	ProtocolName *string
	Assignment   []byte
}

// HeartbeatRequest keeps a member's session. The reply has no value.
type HeartbeatRequest struct {
	Group      string
	Generation int32
	MemberID   string
	InstanceID *string
}

// LeaveRequest takes members out of a group. The reply is a LeaveResponse.
type LeaveRequest struct {
	Group   string
	Members []Leaving
}

// Leaving is one member that leaves, named by its id, its instance id, or both.
type Leaving struct {
	MemberID   string
	InstanceID *string
	Reason     string
	Err        error // in the answer: why it could not
}

// LeaveResponse has the request's members, in order.
type LeaveResponse struct {
	Members []Leaving
}

// CommitRequest commits offsets. The reply is a CommitResponse.
type CommitRequest struct {
	Group      string
	Generation int32 // or member epoch; -1 without membership
	MemberID   string
	InstanceID *string
	// Version of the request: what is refused how differs from 9 on (KIP-848).
	Version int16
	// Retention, if not negative, replaces Config.OffsetsRetention for these offsets (versions 2 to 4).
	Retention time.Duration
	// Producer, if not nil, makes the commit part of a transaction.
	Producer *coordinator.Producer
	Topics   []TopicCommit
}

// TopicCommit is the offsets of one topic.
type TopicCommit struct {
	Topic      string
	ID         kafka.TopicID // zero: not known
	Partitions []PartitionCommit
}

// PartitionCommit is one offset.
type PartitionCommit struct {
	Partition   int32
	Offset      kafka.Offset
	LeaderEpoch kafka.LeaderEpoch
	Metadata    string
	Err         error // in the answer: why it was not committed
}

// CommitResponse has the request's topics, in order.
type CommitResponse struct {
	Topics []TopicCommit
}

// FetchRequest asks for committed offsets of one group. The reply is a FetchResponse.
type FetchRequest struct {
	Group       string
	MemberID    *string // nil: not said
	MemberEpoch int32   // -1: not said
	// RequireStable: offsets that an open transaction commits are answered with ErrUnstableOffset.
	RequireStable bool
	// All asks for all topics, and Topics is not looked at.
	All    bool
	Topics []TopicFetch
}

// TopicFetch asks for partitions of one topic.
type TopicFetch struct {
	Topic      string
	ID         kafka.TopicID // zero: not known
	Partitions []int32
}

// FetchResponse has the request's topics, in order, or all there are.
type FetchResponse struct {
	Topics []TopicOffsets
}

// TopicOffsets is the committed offsets of a topic.
type TopicOffsets struct {
	Topic      string
	ID         kafka.TopicID
	Partitions []PartitionOffset
}

// PartitionOffset is a committed offset, or NoOffset.
type PartitionOffset struct {
	Partition   int32
	Offset      kafka.Offset
	LeaderEpoch kafka.LeaderEpoch
	Metadata    string
	Err         error
}

// DeleteOffsetsRequest deletes committed offsets. The reply is a DeleteOffsetsResponse.
type DeleteOffsetsRequest struct {
	Group  string
	Topics []TopicFetch
}

// DeleteOffsetsResponse gives, for each topic of the request, nil or why its partitions' offsets stay.
type DeleteOffsetsResponse struct {
	Errs []error
}

// DeleteResponse gives, for each group of the request, nil or why it is still there.
type DeleteResponse struct {
	Errs []error
}

// DeletedTopic is a topic that is gone.
type DeletedTopic struct {
	Name string
	ID   kafka.TopicID
}

// ListRequest chooses groups. Empty filters choose all; they ignore case.
type ListRequest struct {
	States []string
	Types  []string
}

// Listed is one group of a list.
type Listed struct {
	Group        string
	ProtocolType string
	State        string
	Type         Type
}

// Described is all that DescribeGroups tells of a classic group.
type Described struct {
	Group        string
	State        string
	ProtocolType string
	Protocol     string
	Members      []DescribedMember
}

// DescribedMember is one member.
type DescribedMember struct {
	MemberID   string
	InstanceID *string
	Client     Client
	Metadata   []byte // of a stable group only
	Assignment []byte
}
