package settings

import "time"

// Topic is the effective settings of one topic. Sizes are bytes; a bound of -1 is none.
type Topic struct {
	CleanupPolicy       string        // cleanup.policy: "delete"
	CompressionType     string        // compression.type: "producer"
	SegmentBytes        int64         // segment.bytes: an active segment is rolled at this size
	SegmentAge          time.Duration // segment.ms
	IndexIntervalBytes  int64         // index.interval.bytes
	RetentionTime       time.Duration // retention.ms; negative: for ever
	RetentionBytes      int64         // retention.bytes; negative: no bound
	LocalRetentionTime  time.Duration // local.retention.ms resolved (-2 follows retention.ms); negative: for ever
	LocalRetentionBytes int64         // local.retention.bytes resolved (-2 follows retention.bytes)
	RemoteStorage       bool          // remote.storage.enable; default true, unlike Kafka
	RemoteCopyDisable   bool          // remote.log.copy.disable
	RemoteDeleteOnOff   bool          // remote.log.delete.on.disable
	MaxMessageBytes     int           // max.message.bytes: the largest batch
	MinInsyncReplicas   int           // min.insync.replicas
	UncleanElection     bool          // unclean.leader.election.enable
	TimestampType       TimestampType // message.timestamp.type
	TimestampBeforeMax  time.Duration // message.timestamp.before.max.ms; Unbounded: no limit
	TimestampAfterMax   time.Duration // message.timestamp.after.max.ms; Unbounded: no limit
	FlushMessages       int64         // flush.messages; math.MaxInt64: left to the system
	FlushInterval       time.Duration // flush.ms; Unbounded: left to the system
	FileDeleteDelay     time.Duration // file.delete.delay.ms
	Preallocate         bool          // preallocate
	SealAgeMax          time.Duration // varve.seal.max.age.ms: roll and seal an active segment at this age
	ValueFormat         string        // varve.value.format: raw, utf8 or json; how queries read values
}

// TimestampType says whose clock a record's timestamp is.
type TimestampType int8

// The values of message.timestamp.type.
const (
	CreateTime    TimestampType = 0
	LogAppendTime TimestampType = 1
)

// Unbounded stands for Kafka's 2^63-1 milliseconds, and for anything that a Duration cannot hold.
const Unbounded time.Duration = 1<<63 - 1

// DefaultTopic is a topic without explicit settings on an agent with none.
func DefaultTopic() Topic { return Topic{} }

// FromConfigs parses a topic's explicit settings over the agent's defaults. The error is a *Error.
func FromConfigs(configs map[string]string, defaults *Agent) (Topic, error) { return Topic{}, nil }

// ValidateTopic checks explicit topic settings: unknown names, types, bounds, values that are not
// supported, and combinations. The error is a *Error.
func ValidateTopic(configs map[string]string) error { return nil }
