package api

import (
	"context"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// Backend is all that the handlers need of the agent. The agent implements it; every method may be
// called from any goroutine. Methods without a context answer from memory and never block.
type Backend interface {
	Cluster
	Topics
	Configs
	ProducerIDs
	Disks
	Groups
	Transactions
}

// Cluster tells who is there.
type Cluster interface {
	// ClusterID is the id that clients see, constant for the life of the bucket's cluster.
	ClusterID() string
	// AgentID is this agent.
	AgentID() int32
	// ControllerID is the agent that admin requests should go to, or -1.
	ControllerID() int32
	// Agents lists the registered agents by ascending id. The slice is not changed afterwards.
	Agents() []Agent
}

// Agent is one node as clients see it.
type Agent struct {
	ID     int32
	Host   string
	Port   int32
	Rack   string // empty: none
	Fenced bool   // fenced agents are not shown as live brokers
}

// Topics is the catalog of topics and the way to their partitions.
type Topics interface {
	// Topic finds a topic by name. It must not keep name: the handlers of the hot path pass a
	// string whose bytes belong to the request.
	Topic(name string) (*Topic, bool)
	// TopicByID finds a topic by id.
	TopicByID(id kafka.TopicID) (*Topic, bool)
	// AllTopics lists every topic ordered by name. The slice is not changed afterwards.
	AllTopics() []*Topic
	// Partition gives the replica that this agent leads. ErrUnknownPartition: there is no such
	// partition; ErrNotLeader: another agent leads it, or no one; ErrStorage: its log is offline.
	Partition(tp kafka.TopicPartition) (Partition, error)

	// CreateTopics creates topics that have passed the handlers' validation of names, counts and
	// settings, all in one commit where possible. It answers one result for each, in order:
	// ErrTopicExists, ErrInvalidReplicationFactor, ErrInvalidReplicaAssignment, or an error of
	// the commit. On return a created topic's partitions are ready to be led. With validateOnly
	// nothing is created and the result shows what would be.
	CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) []CreateResult
	// DeleteTopics deletes topics by id, one error or nil for each: ErrUnknownTopicID, or the
	// commit's.
	DeleteTopics(ctx context.Context, ids []kafka.TopicID) []error
	// CreatePartitions raises partition counts, one error or nil for each: ErrUnknownTopic,
	// ErrInvalidPartitions, ErrInvalidReplicaAssignment, or the commit's.
	CreatePartitions(ctx context.Context, changes []NewPartitions, validateOnly bool) []error
}

// Topic is one incarnation of a topic at one version of the catalog. It is immutable and shared.
type Topic struct {
	ID       kafka.TopicID
	Name     string
	Internal bool
	// Configs holds the settings given explicitly for the topic, validated.
	Configs map[string]string
	// Settings is the effective parsed view of Configs over the agent's defaults.
	Settings settings.Topic
	// Partitions is indexed by partition number.
	Partitions []PartitionState
}

// PartitionState is what metadata tells of a partition.
type PartitionState struct {
	Leader      int32 // agent id, or -1
	LeaderEpoch kafka.LeaderEpoch
	Replicas    []int32
	ISR         []int32
	Offline     []int32
}

// NewTopic is a topic to be created. Exactly one of Partitions and Assignments says how many
// partitions there are.
type NewTopic struct {
	Name              string
	Partitions        int32
	ReplicationFactor int16     // never -1: the handlers put the default in
	Assignments       [][]int32 // indexed by partition; nil: placed by the agent
	Configs           map[string]string
}

// CreateResult is the outcome for one NewTopic. Topic is set if Err is nil; with validateOnly its ID
// is one that it might have had, as Kafka tells.
type CreateResult struct {
	Topic *Topic
	Err   error
}

// NewPartitions raises a topic's partitions to Count.
type NewPartitions struct {
	Topic       kafka.TopicID
	Count       int32
	Assignments [][]int32 // for the new partitions only; nil: placed by the agent
}

// Configs reads and changes settings of topics and agents.
type Configs interface {
	// AgentConfigs gives the settings given explicitly for one agent, and those given for all
	// agents (Kafka's cluster-wide defaults), both from the catalog, and those of the agent's own
	// start (flags and file).
	AgentConfigs(id int32) AgentConfigs
	// GroupConfigs gives the settings given explicitly for one group; nil: none.
	GroupConfigs(group string) map[string]string
	// GroupsConfigured lists the groups that have settings of their own, in order.
	GroupsConfigured() []string
	// AgentSettings is the effective parsed view for this agent.
	AgentSettings() *settings.Agent
	// AlterConfigs replaces whole sets of explicit settings, validated by the handlers, one error
	// or nil for each. With validateOnly nothing is changed.
	AlterConfigs(ctx context.Context, changes []ConfigChange, validateOnly bool) []error
}

// AgentConfigs are an agent's explicit settings by where they come from, the first winning.
type AgentConfigs struct {
	Dynamic        map[string]string // altered for this agent
	DynamicDefault map[string]string // altered for all agents
	Static         map[string]string // given at start
}

// ConfigChange sets and removes explicit settings of one resource. Exactly one of Topic (not zero),
// Group (not empty), Agent and AllAgents names it.
type ConfigChange struct {
	Topic     kafka.TopicID
	Group     string
	Agent     int32
	AllAgents bool
	Set       map[string]string
	Delete    []string
}

// ProducerIDs hands out producer ids.
type ProducerIDs interface {
	// NextProducerID is an id that no producer of this cluster ever had.
	NextProducerID(ctx context.Context) (kafka.ProducerID, error)
}

// Disks tells of the local disk.
type Disks interface {
	// LogDir describes where this agent keeps its hot logs; an error says why it cannot be told.
	LogDir() (LogDir, error)
}

// LogDir is a directory of hot logs and the file system that it is on.
type LogDir struct {
	Path        string // absolute
	TotalBytes  int64
	UsableBytes int64
}

// Partition is a partition replica that this agent leads.
//
// Append, OnCommitted, Offsets, LeaderEpoch and Subscribe are called on a connection's own
// goroutine: they may touch the local disk, never the network or the bucket.
type Partition interface {
	// Append appends one batch that passed validation (magic 2, CRC, counts, timestamps, size).
	// The base offset and leader epoch are written into records in place; records is the caller's
	// again on return. With a set AppendTime the handler has already stamped the batch.
	//
	// Errors: ErrNotLeader, ErrNotEnoughReplicas (acks=all only), ErrOutOfOrderSequence,
	// ErrDuplicateSequence, ErrInvalidProducerEpoch, ErrUnknownProducerID, ErrInvalidTxnState,
	// ErrCoordinatorFenced, ErrDiskFull, ErrStorage.
	Append(records []byte, o AppendOptions) (Appended, error)
	TransactionLog
	// OnCommitted calls fn once: at once and inline if the high watermark is at or above next, else
	// later from another goroutine when it gets there (nil) or cannot any more (ErrNotLeader,
	// ErrNotEnoughReplicasAfterAppend). fn does not block.
	OnCommitted(next kafka.Offset, fn func(error))
	// Offsets is a consistent snapshot of the log's bounds.
	Offsets() Offsets
	// LeaderEpoch is the epoch in which this replica leads.
	LeaderEpoch() kafka.LeaderEpoch
	// LocalBytes is what the hot log takes on the local disk.
	LocalBytes() int64
	// Subscribe calls fn, which does not block, after each time that the high watermark, the last
	// stable offset or the leadership changes, until cancel. A change between a look at Offsets
	// and a Subscribe after it is not reported: subscribe first.
	Subscribe(fn func()) (cancel func())
	// BytesBetween estimates the bytes that a fetch of [from, until) would give, for the fetch's
	// minimum bytes. It counts at least 1 where until > from, may stop counting at limit, and never
	// waits for the bucket.
	BytesBetween(from, until kafka.Offset, limit int) int

	// Fetch reads whole batches from the one that contains r.From, wherever they lie; it may wait
	// for the bucket. Errors: ErrOffsetOutOfRange, ErrNotLeader, ErrCorrupt, ErrStorage,
	// ErrBucket, or ctx's.
	Fetch(ctx context.Context, r FetchRange) (FetchData, error)
	// ListOffset answers Latest, Earliest, ... or a timestamp: the first offset below bound whose
	// record has that timestamp or a later one. Offset is kafka.NoOffset where there is none.
	ListOffset(ctx context.Context, ts kafka.Timestamp, bound kafka.Offset) (OffsetAt, error)
	// EpochEnd answers KIP-279: the largest epoch at or below epoch that the log knows, and its end
	// offset (exclusive). An epoch that is not known gives {NoLeaderEpoch, NoOffset}.
	EpochEnd(ctx context.Context, epoch kafka.LeaderEpoch) (EpochEnd, error)
	// DeleteRecords moves the log start offset up to before (kafka.NoOffset: the high watermark),
	// durably, and returns the log start offset. ErrOffsetOutOfRange: before is above the high
	// watermark or negative.
	DeleteRecords(ctx context.Context, before kafka.Offset) (kafka.Offset, error)
}

// AppendOptions say how to append.
type AppendOptions struct {
	RequiredAcks int16           // -1, 0 or 1
	AppendTime   kafka.Timestamp // what the batch was stamped with, or NoTimestamp
	// Coordinator says that a coordinator of this agent writes for a producer: its batches have no
	// sequence numbers, and the producer's epoch alone is checked.
	Coordinator bool
	// Verified says that a transactional batch must continue its producer's transaction or show the
	// Guard that BeginVerification gave.
	Verified bool
	Guard    uint64
	// TransactionVersion is that of a marker (KIP-890).
	TransactionVersion int16
}

// Appended tells where a batch went.
type Appended struct {
	BaseOffset     kafka.Offset
	NextOffset     kafka.Offset
	LogStartOffset kafka.Offset
	AppendTime     kafka.Timestamp // NoTimestamp: the batch keeps the producer's timestamps
	Duplicate      bool            // it was there already; the offsets are its first copy's
	// MustFlush: flush.messages wants a sync before any ack, acks=1 too. OnCommitted waits for it.
	MustFlush bool
}

// Offsets are the bounds of a partition's log.
type Offsets struct {
	LogStart      kafka.Offset // first offset on either tier
	LocalLogStart kafka.Offset // first offset on the local disk
	HighWatermark kafka.Offset // exclusive
	LastStable    kafka.Offset // exclusive
	LogEnd        kafka.Offset // exclusive
	SealedEnd     kafka.Offset // exclusive end of what the bucket holds; 0: nothing
}

// FetchRange is what to read.
type FetchRange struct {
	From     kafka.Offset
	Until    kafka.Offset // exclusive; batches wholly below it are returned
	BytesMax int          // bound on the answer, but for MinOne
	MinOne   bool         // return the first batch even when it is larger than BytesMax
	Aborted  bool         // list aborted transactions that intersect what is returned
	HotOnly  bool         // never wait for the bucket: ErrCold instead
}

// FetchData is what was read. Release, if not nil, is called once, after the bytes were written.
type FetchData struct {
	Records [][]byte // whole batches, in order
	Aborted []AbortedTxn
	Release func()
}

// AbortedTxn is an aborted transaction in a fetched range.
type AbortedTxn struct {
	ProducerID  kafka.ProducerID
	FirstOffset kafka.Offset
}

// OffsetAt is an offset with the timestamp of its record and the epoch it was written in. Where the
// question was not about a record, Timestamp is NoTimestamp.
type OffsetAt struct {
	Offset      kafka.Offset
	Timestamp   kafka.Timestamp
	LeaderEpoch kafka.LeaderEpoch
}

// EpochEnd is the end (exclusive) of a leader epoch.
type EpochEnd struct {
	Epoch kafka.LeaderEpoch
	End   kafka.Offset
}

// Special timestamps of ListOffset (KIP-79, KIP-734, KIP-405, KIP-1005, KIP-1023). Latest is
// answered by the handlers from Offsets; the others reach Partition.ListOffset.
const (
	Latest                kafka.Timestamp = -1
	Earliest              kafka.Timestamp = -2
	MaxTimestamp          kafka.Timestamp = -3
	EarliestLocal         kafka.Timestamp = -4
	LatestTiered          kafka.Timestamp = -5
	EarliestPendingUpload kafka.Timestamp = -6
)
