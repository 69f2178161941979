package settings

import "slices"

const (
	noShareGroups   = "share groups are not supported yet"
	noStreamsGroups = "streams groups are not supported yet"
)

// groupSettings is the table of settings that one group may have (KIP-848), ordered by name.
var groupSettings = []*Setting{
	{
		Name: "consumer.assignment.interval.ms", Type: Int, Default: "1000",
		AgentName: "group.consumer.assignment.interval.ms",
		Doc:       "The least milliseconds between two assignments of the group.",
		check:     atLeast(0),
	},
	{
		Name: "consumer.assignor.offload.enable", Type: Boolean, Default: "true",
		AgentName:   "group.consumer.assignor.offload.enable",
		Doc:         "Compute assignments outside of the coordinator.",
		Unsupported: "assignments are computed by the coordinator itself",
	},
	{
		Name: "consumer.heartbeat.interval.ms", Type: Int, Default: "5000",
		AgentName: "group.consumer.heartbeat.interval.ms",
		Doc:       "Milliseconds between heartbeats that the group's members are told.",
		check:     atLeast(1),
	},
	{
		Name: "consumer.session.timeout.ms", Type: Int, Default: "45000",
		AgentName: "group.consumer.session.timeout.ms",
		Doc:       "Milliseconds without a heartbeat after which a member of the group is gone.",
		check:     atLeast(1),
	},
}

// unsupportedGroupSettings are Kafka's for other kinds of groups, refused by name with the reason.
var unsupportedGroupSettings = map[string]string{
	"share.assignment.interval.ms":       noShareGroups,
	"share.assignor.offload.enable":      noShareGroups,
	"share.auto.offset.reset":            noShareGroups,
	"share.delivery.count.limit":         noShareGroups,
	"share.heartbeat.interval.ms":        noShareGroups,
	"share.isolation.level":              noShareGroups,
	"share.partition.max.record.locks":   noShareGroups,
	"share.record.lock.duration.ms":      noShareGroups,
	"share.renew.acknowledge.enable":     noShareGroups,
	"share.session.timeout.ms":           noShareGroups,
	"streams.assignment.interval.ms":     noStreamsGroups,
	"streams.assignor.offload.enable":    noStreamsGroups,
	"streams.heartbeat.interval.ms":      noStreamsGroups,
	"streams.initial.rebalance.delay.ms": noStreamsGroups,
	"streams.num.standby.replicas":       noStreamsGroups,
	"streams.session.timeout.ms":         noStreamsGroups,
}

var groupIndex = indexOf(groupSettings)

// GroupSettings lists the settings of groups ordered by name. The slice and its values are shared and
// must not be changed.
func GroupSettings() []*Setting { return groupSettings }

// GroupSetting finds a setting of groups by name.
func GroupSetting(name string) (*Setting, bool) {
	s, ok := groupIndex[name]
	return s, ok
}

// ValidateGroup checks a group's explicit settings: unknown names, types, and the agent's bounds. The
// error is a *Error.
func ValidateGroup(configs map[string]string, agent *Agent) error {
	names := make([]string, 0, len(configs))
	for name := range configs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if reason, ok := unsupportedGroupSettings[name]; ok {
			return &Error{Name: name, Value: configs[name], Reason: reason}
		}
	}
	if err := validateEach(configs, groupIndex); err != nil {
		return err
	}
	return agent.ConsumerGroups.check(configs)
}
