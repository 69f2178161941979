package settings

import (
	"strings"
	"time"
)

const (
	never      = "9223372036854775807" // Kafka's way to say never in milliseconds or messages
	noThrottle = "replication throttles are not supported yet"
)

// topicSettings is the table of topic settings ordered by name: Kafka 4.3's, and Varve's own at the
// end.
var topicSettings = []*Setting{
	{
		Name: "cleanup.policy", Type: List, Default: "delete", AgentName: "log.cleanup.policy",
		Doc: "What becomes of old records: delete removes whole segments by retention, compact keeps " +
			"the last record of each key; both may be given, or nothing.",
		check: listOf("compact", "delete"),
	},
	{
		Name: "compression.gzip.level", Type: Int, Default: "-1", AgentName: "compression.gzip.level",
		Doc:   "Level at which the agent compresses with gzip where compression.type says so.",
		check: gzipLevel,
	},
	{
		Name: "compression.lz4.level", Type: Int, Default: "9", AgentName: "compression.lz4.level",
		Doc:   "Level at which the agent compresses with lz4 where compression.type says so.",
		check: between(1, 17),
	},
	{
		Name: "compression.type", Type: String, Default: "producer", AgentName: "compression.type",
		Doc:   "Codec of stored batches: producer keeps them as they were sent.",
		check: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
	},
	{
		Name: "compression.zstd.level", Type: Int, Default: "3", AgentName: "compression.zstd.level",
		Doc:   "Level at which the agent compresses with zstd where compression.type says so.",
		check: between(-131072, 22),
	},
	{
		Name: "delete.retention.ms", Type: Long, Default: "86400000",
		AgentName: "log.cleaner.delete.retention.ms",
		Doc:       "How long tombstones of compacted topics are kept, in milliseconds.",
		check:     atLeast(0),
	},
	{
		Name: "file.delete.delay.ms", Type: Long, Default: "60000",
		AgentName:   "log.segment.delete.delay.ms",
		Doc:         "How long a local file outlives its removal from the log, in milliseconds.",
		check:       atLeast(0),
		Unsupported: "a local file goes with its last reader",
	},
	{
		Name: "flush.messages", Type: Long, Default: never, AgentName: "log.flush.interval.messages",
		Doc:   "Sync the log to disk after this many records; 1 syncs before every ack.",
		check: atLeast(1),
	},
	{
		Name: "flush.ms", Type: Long, Default: never, AgentName: "log.flush.interval.ms",
		Doc:   "Sync the log to disk at the latest this many milliseconds after an append.",
		check: atLeast(0),
	},
	{
		Name: "follower.replication.throttled.replicas", Type: List, Default: "",
		Doc:         "Replicas whose fetching as followers is throttled.",
		Unsupported: noThrottle,
	},
	{
		Name: "index.interval.bytes", Type: Int, Default: "4096",
		AgentName: "log.index.interval.bytes",
		Doc:       "Bytes of log between two entries of the sparse offset and time index.",
		check:     atLeast(0),
	},
	{
		Name: "internal.segment.bytes", Type: Int, Default: "", Hidden: true,
		Doc:   "Segment size below the bound of segment.bytes, for tests. Unit bytes.",
		check: atLeast(1024),
	},
	{
		Name: "leader.replication.throttled.replicas", Type: List, Default: "",
		Doc:         "Replicas whose fetches are throttled at the leader.",
		Unsupported: noThrottle,
	},
	{
		Name: "local.retention.bytes", Type: Long, Default: "-2",
		AgentName: "log.local.retention.bytes",
		Doc:       "Bytes of sealed segments kept on local disk too; -2 follows retention.bytes.",
		check:     atLeast(-2),
	},
	{
		Name: "local.retention.ms", Type: Long, Default: "-2", AgentName: "log.local.retention.ms",
		Doc:   "Milliseconds that sealed segments stay on local disk too; -2 follows retention.ms.",
		check: atLeast(-2),
	},
	{
		Name: "max.compaction.lag.ms", Type: Long, Default: never,
		AgentName: "log.cleaner.max.compaction.lag.ms",
		Doc:       "Milliseconds after which a record of a compacted topic is compacted for sure.",
		check:     atLeast(1),
	},
	{
		Name: "max.message.bytes", Type: Int, Default: "1048588", AgentName: "message.max.bytes",
		Doc:   "The largest record batch that is accepted, as it is sent. Unit bytes.",
		check: atLeast(0),
	},
	{
		Name: "message.timestamp.after.max.ms", Type: Long, Default: "3600000",
		AgentName: "log.message.timestamp.after.max.ms",
		Doc:       "Milliseconds that a producer's timestamp may lie ahead of the agent's clock.",
		check:     atLeast(0),
	},
	{
		Name: "message.timestamp.before.max.ms", Type: Long, Default: never,
		AgentName: "log.message.timestamp.before.max.ms",
		Doc:       "Milliseconds that a producer's timestamp may lie behind the agent's clock.",
		check:     atLeast(0),
	},
	{
		Name: "message.timestamp.type", Type: String, Default: "CreateTime",
		AgentName: "log.message.timestamp.type",
		Doc:       "Whose clock a timestamp is of: CreateTime the producer's, LogAppendTime the agent's.",
		check:     oneOf("CreateTime", "LogAppendTime"),
	},
	{
		Name: "min.cleanable.dirty.ratio", Type: Double, Default: "0.5",
		AgentName: "log.cleaner.min.cleanable.ratio",
		Doc:       "Share of uncompacted bytes at which a compacted log is compacted.",
		check:     ratio,
	},
	{
		Name: "min.compaction.lag.ms", Type: Long, Default: "0",
		AgentName: "log.cleaner.min.compaction.lag.ms",
		Doc:       "Milliseconds before a record of a compacted topic may be compacted.",
		check:     atLeast(0),
	},
	{
		Name: "min.insync.replicas", Type: Int, Default: "1", AgentName: "min.insync.replicas",
		Doc:   "In-sync replicas that acks=all needs; at most the replication factor counts.",
		check: atLeast(1),
	},
	{
		Name: "preallocate", Type: Boolean, Default: "false", AgentName: "log.preallocate",
		Doc:         "Allocate a segment's file at full size when it is created.",
		Unsupported: "segment files grow as they are written",
	},
	{
		Name: "remote.log.copy.disable", Type: Boolean, Default: "false",
		Doc: "Stop sealing a topic while its sealed segments stay readable and expire (KIP-950).",
	},
	{
		Name: "remote.log.delete.on.disable", Type: Boolean, Default: "false",
		Doc: "While remote.storage.enable is false, delete what is sealed and not on local disk any " +
			"more (KIP-950).",
	},
	{
		Name: "remote.storage.enable", Type: Boolean, Default: "true",
		Doc: "Seal rolled segments into the bucket. Unlike in Kafka this is on unless turned off, or " +
			"cleanup.policy has compact.",
	},
	{
		Name: "retention.bytes", Type: Long, Default: "-1", AgentName: "log.retention.bytes",
		Doc: "Bytes a partition keeps over both tiers; -1 is no bound.",
	},
	{
		Name: "retention.ms", Type: Long, Default: "604800000", AgentName: "log.retention.ms",
		Coarser: []Coarser{
			{"log.retention.minutes", time.Minute}, {"log.retention.hours", time.Hour},
		},
		Doc:   "Milliseconds that records are kept over both tiers; -1 is for ever.",
		check: atLeast(-1),
	},
	{
		Name: "segment.bytes", Type: Int, Default: "1073741824", AgentName: "log.segment.bytes",
		Doc:   "Size at which the active segment is rolled. Unit bytes.",
		check: atLeast(1 << 20),
	},
	{
		Name: "segment.index.bytes", Type: Int, Default: "10485760",
		AgentName: "log.index.size.max.bytes",
		Doc: "The active segment is rolled when its offset index has an entry for every 8 bytes of " +
			"this. Unit bytes.",
		check: atLeast(4),
	},
	{
		Name: "segment.jitter.ms", Type: Long, Default: "0", AgentName: "log.roll.jitter.ms",
		Coarser: []Coarser{{"log.roll.jitter.hours", time.Hour}},
		Doc:     "Bound on the random milliseconds by which a roll by segment.ms comes earlier.",
		check:   atLeast(0),
	},
	{
		Name: "segment.ms", Type: Long, Default: "604800000", AgentName: "log.roll.ms",
		Coarser: []Coarser{{"log.roll.hours", time.Hour}},
		Doc:     "Milliseconds of record time after which the active segment is rolled.",
		check:   atLeast(1),
	},
	{
		Name: "unclean.leader.election.enable", Type: Boolean, Default: "false",
		AgentName:   "unclean.leader.election.enable",
		Doc:         "Let a replica lead that may miss acked records when no other is left.",
		Unsupported: "not supported yet",
	},
	{
		Name: "varve.seal.max.age.ms", Type: Long, Default: "600000",
		AgentName: "varve.seal.max.age.ms",
		Doc:       "Milliseconds after which an active segment that holds records is rolled and sealed.",
		check:     atLeast(1),
	},
	{
		Name: "varve.value.format", Type: String, Default: "raw",
		Doc:   "How queries read record values: raw bytes, utf8 text or json.",
		check: oneOf("raw", "utf8", "json"),
	},
}

var topicIndex = indexOf(topicSettings)

func indexOf(table []*Setting) map[string]*Setting {
	index := make(map[string]*Setting, len(table))
	for _, s := range table {
		index[s.Name] = s
	}
	return index
}

// TopicSettings lists the topic settings ordered by name. The slice and its values are shared and
// must not be changed.
func TopicSettings() []*Setting { return topicSettings }

// TopicSetting finds a topic setting by name.
func TopicSetting(name string) (*Setting, bool) {
	s, ok := topicIndex[name]
	return s, ok
}

// ValidTopicName tells why a name is not a topic name; empty: it is one. The words are Kafka's.
func ValidTopicName(name string) (reason string) {
	switch {
	case name == "":
		return "the empty string is not allowed"
	case name == "." || name == "..":
		return "'" + name + "' is not allowed"
	case len(name) > 249:
		return "the length of '" + name + "' is longer than the max allowed length 249"
	case strings.IndexFunc(name, notNameRune) >= 0:
		return "'" + name +
			"' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
	}
	return ""
}

func notNameRune(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return r != '.' && r != '_' && r != '-'
}
