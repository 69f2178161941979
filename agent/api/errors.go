package api

import "errors"

// Sentinels of the backend. Each is answered with the Kafka error code that codes.go gives it, so a
// backend wraps them (%w) and adds what happened.
var (
	// ErrUnknownTopic: no topic has this name.
	ErrUnknownTopic = errors.New("unknown topic")
	// ErrUnknownTopicID: no topic has this id.
	ErrUnknownTopicID = errors.New("unknown topic id")
	// ErrUnknownPartition: the topic has no such partition.
	ErrUnknownPartition = errors.New("unknown partition")
	// ErrTopicExists: a topic of this name, or one whose name collides with it, exists.
	ErrTopicExists = errors.New("topic exists")
	// ErrTopicProtected: the change is not allowed, as for internal topics.
	ErrTopicProtected = errors.New("topic may not be changed")
	// ErrInvalidTopic: the name is not a topic name.
	ErrInvalidTopic = errors.New("invalid topic name")
	// ErrInvalidPartitions: a partition count that cannot be.
	ErrInvalidPartitions = errors.New("invalid partitions")
	// ErrInvalidReplicationFactor: more replicas than agents, or none.
	ErrInvalidReplicationFactor = errors.New("invalid replication factor")
	// ErrInvalidReplicaAssignment: a manual assignment that names unknown agents or has gaps.
	ErrInvalidReplicaAssignment = errors.New("invalid replica assignment")
	// ErrInvalidConfig: a setting's name or value is not accepted.
	ErrInvalidConfig = errors.New("invalid config")
	// ErrInvalidRequest: the request contradicts itself.
	ErrInvalidRequest = errors.New("invalid request")
	// ErrPolicyViolation: the request is well formed and exceeds a limit of this cluster.
	ErrPolicyViolation = errors.New("policy violation")

	// ErrNotLeader: this agent does not lead the partition; the client refreshes its metadata.
	ErrNotLeader = errors.New("not leader")
	// ErrLeaderNotAvailable: no one leads the partition now.
	ErrLeaderNotAvailable = errors.New("leader not available")
	// ErrFencedLeaderEpoch: the client knows an older leader epoch than this agent.
	ErrFencedLeaderEpoch = errors.New("fenced leader epoch")
	// ErrUnknownLeaderEpoch: the client knows a newer leader epoch than this agent.
	ErrUnknownLeaderEpoch = errors.New("unknown leader epoch")
	// ErrOffsetOutOfRange: outside [log start offset, high watermark].
	ErrOffsetOutOfRange = errors.New("offset out of range")
	// ErrOffsetNotAvailable: the leader does not know its high watermark yet.
	ErrOffsetNotAvailable = errors.New("offset not available")
	// ErrNotEnoughReplicas: acks=all and fewer in-sync replicas than min.insync.replicas; not
	// appended.
	ErrNotEnoughReplicas = errors.New("not enough replicas")
	// ErrNotEnoughReplicasAfterAppend: appended, but in-sync replicas were lost before it was
	// committed.
	ErrNotEnoughReplicasAfterAppend = errors.New("not enough replicas after append")
	// ErrTimedOut: not done within the request's time.
	ErrTimedOut = errors.New("timed out")

	// ErrRecordListTooLarge: a batch is larger than the topic's segments.
	ErrRecordListTooLarge = errors.New("record batch is larger than a segment")
	// ErrOutOfOrderSequence: an idempotent producer's batch leaves a gap.
	ErrOutOfOrderSequence = errors.New("out of order sequence")
	// ErrDuplicateSequence: a batch older than the last five.
	ErrDuplicateSequence = errors.New("duplicate sequence")
	// ErrInvalidProducerEpoch: a newer instance of the producer wrote already.
	ErrInvalidProducerEpoch = errors.New("invalid producer epoch")
	// ErrInvalidTxnState: a batch outside its producer's transaction, or of a transaction that its
	// coordinator does not know.
	ErrInvalidTxnState = errors.New("invalid transaction state")
	// ErrCoordinatorFenced: a marker of an older transaction coordinator.
	ErrCoordinatorFenced = errors.New("transaction coordinator fenced")
	// ErrUnknownProducerID: nothing is known of the producer and its sequence does not start at 0.
	ErrUnknownProducerID = errors.New("unknown producer id")

	// ErrCold: what was to be read from the local disk alone lies in the bucket only.
	ErrCold = errors.New("records are in the bucket only")
	// ErrDiskFull: the local disk or its configured share is full; retriable.
	ErrDiskFull = errors.New("disk full")
	// ErrStorage: the local log cannot be read or written.
	ErrStorage = errors.New("storage error")
	// ErrCorrupt: stored data fails its checksum.
	ErrCorrupt = errors.New("corrupt data")
	// ErrBucket: the bucket cannot be reached now; retriable.
	ErrBucket = errors.New("bucket unavailable")
	// ErrConflict: someone else changed the same thing at the same time; retriable.
	ErrConflict = errors.New("conflicting change")
	// ErrStopping: the agent is shutting down; retriable elsewhere.
	ErrStopping = errors.New("agent is stopping")
)
