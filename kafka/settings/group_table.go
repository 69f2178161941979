package settings

import "time"

// groupAgentSettings are the agent settings of the group coordinator and of the classic protocol.
var groupAgentSettings = []*Setting{
	{
		Name: "group.initial.rebalance.delay.ms", Type: Int, Default: "3000", ReadOnly: true,
		Doc:   "Milliseconds that the first rebalance of an empty classic group waits for more members.",
		check: atLeast(0),
	},
	{
		Name: "group.max.session.timeout.ms", Type: Int, Default: "1800000", ReadOnly: true,
		Doc:   "The longest session timeout that members of classic groups may ask for.",
		check: atLeast(0),
	},
	{
		Name: "group.max.size", Type: Int, Default: "2147483647", ReadOnly: true,
		Doc:   "Bound on the members of a classic group.",
		check: atLeast(1),
	},
	{
		Name: "group.min.session.timeout.ms", Type: Int, Default: "6000", ReadOnly: true,
		Doc:   "The shortest session timeout that members of classic groups may ask for.",
		check: atLeast(0),
	},
	{
		Name: "offset.metadata.max.bytes", Type: Int, Default: "4096", ReadOnly: true,
		Doc:   "Bound on the metadata of a committed offset. Unit UTF-16 characters, as in Kafka.",
		check: atLeast(0),
	},
	{
		Name: "offsets.commit.timeout.ms", Type: Int, Default: "5000", ReadOnly: true,
		Doc:   "Milliseconds that an answer of the group coordinator waits for its records to be committed.",
		check: atLeast(1),
	},
	{
		Name: "offsets.retention.check.interval.ms", Type: Long, Default: "600000", ReadOnly: true,
		Doc:   "Milliseconds between two looks for committed offsets that have expired.",
		check: atLeast(1),
	},
	{
		Name: "offsets.retention.minutes", Type: Int, Default: "10080", ReadOnly: true,
		Doc: "Minutes that committed offsets are kept: of a group since it is empty, of a topic that a " +
			"group does not subscribe to and of consumers without membership since the commit.",
		check: atLeast(1),
	},
}

// Groups is the effective settings of the group coordinator.
type Groups struct {
	SessionTimeoutMin     time.Duration // group.min.session.timeout.ms
	SessionTimeoutMax     time.Duration // group.max.session.timeout.ms
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms
	MembersMax            int           // group.max.size
	OffsetMetadataMax     int           // offset.metadata.max.bytes
	OffsetsCommitTimeout  time.Duration // offsets.commit.timeout.ms
	OffsetsRetention      time.Duration // offsets.retention.minutes
	OffsetsRetentionCheck time.Duration // offsets.retention.check.interval.ms
}

func (v *view) groups() Groups {
	return Groups{
		SessionTimeoutMin:     v.millis("group.min.session.timeout.ms"),
		SessionTimeoutMax:     v.millis("group.max.session.timeout.ms"),
		InitialRebalanceDelay: v.millis("group.initial.rebalance.delay.ms"),
		MembersMax:            int(v.long("group.max.size")),
		OffsetMetadataMax:     int(v.long("offset.metadata.max.bytes")),
		OffsetsCommitTimeout:  v.millis("offsets.commit.timeout.ms"),
		OffsetsRetention:      time.Duration(v.long("offsets.retention.minutes")) * time.Minute,
		OffsetsRetentionCheck: v.millis("offsets.retention.check.interval.ms"),
	}
}
