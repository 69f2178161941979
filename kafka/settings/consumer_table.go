package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// consumerAgentSettings are the agent settings of groups of the consumer protocol (KIP-848).
var consumerAgentSettings = []*Setting{
	{
		Name: "group.consumer.assignment.interval.ms", Type: Int, Default: "1000", ReadOnly: true,
		Doc:   "The least milliseconds between two assignments of a consumer group.",
		check: atLeast(0),
	},
	{
		Name: "group.consumer.assignor.offload.enable", Type: Boolean, Default: "true", ReadOnly: true,
		Doc:         "Compute assignments outside of the coordinator.",
		Unsupported: "assignments are computed by the coordinator itself",
	},
	{
		Name: "group.consumer.assignors", Type: List, Default: "uniform,range", ReadOnly: true,
		Doc:   "The server-side assignors that may be used; the first is the default.",
		check: someOf("uniform", "range"),
	},
	{
		Name: "group.consumer.heartbeat.interval.ms", Type: Int, Default: "5000", ReadOnly: true,
		Doc:   "Milliseconds between heartbeats that members of consumer groups are told.",
		check: atLeast(1),
	},
	{
		Name: "group.consumer.max.assignment.interval.ms", Type: Int, Default: "15000", ReadOnly: true,
		Doc:   "The largest consumer.assignment.interval.ms of a group.",
		check: atLeast(0),
	},
	{
		Name: "group.consumer.max.heartbeat.interval.ms", Type: Int, Default: "15000", ReadOnly: true,
		Doc:   "The largest consumer.heartbeat.interval.ms of a group.",
		check: atLeast(1),
	},
	{
		Name: "group.consumer.max.session.timeout.ms", Type: Int, Default: "60000", ReadOnly: true,
		Doc:   "The largest consumer.session.timeout.ms of a group.",
		check: atLeast(1),
	},
	{
		Name: "group.consumer.max.size", Type: Int, Default: "2147483647", ReadOnly: true,
		Doc:   "Bound on the members of a consumer group.",
		check: atLeast(1),
	},
	{
		Name: "group.consumer.migration.policy", Type: String, Default: "bidirectional", ReadOnly: true,
		Doc: "How groups with members change between the classic and the consumer protocol: " +
			"bidirectional, upgrade, downgrade or disabled.",
		check: anyCase(oneOf("bidirectional", "upgrade", "downgrade", "disabled")),
	},
	{
		Name: "group.consumer.min.assignment.interval.ms", Type: Int, Default: "0", ReadOnly: true,
		Doc:   "The smallest consumer.assignment.interval.ms of a group.",
		check: atLeast(0),
	},
	{
		Name: "group.consumer.min.heartbeat.interval.ms", Type: Int, Default: "5000", ReadOnly: true,
		Doc:   "The smallest consumer.heartbeat.interval.ms of a group.",
		check: atLeast(1),
	},
	{
		Name: "group.consumer.min.session.timeout.ms", Type: Int, Default: "45000", ReadOnly: true,
		Doc:   "The smallest consumer.session.timeout.ms of a group.",
		check: atLeast(1),
	},
	{
		Name: "group.consumer.regex.refresh.interval.ms", Type: Int, Default: "600000", ReadOnly: true,
		Doc:   "Milliseconds after which subscriptions by regular expression are matched anew at the latest.",
		check: atLeast(10_000),
	},
	{
		Name: "group.consumer.session.timeout.ms", Type: Int, Default: "45000", ReadOnly: true,
		Doc:   "Milliseconds without a heartbeat after which a member of a consumer group is gone.",
		check: atLeast(1),
	},
}

// ConsumerGroups is the effective settings of groups of the consumer protocol: those of all, or with
// a group's own.
type ConsumerGroups struct {
	SessionTimeout     time.Duration // group.consumer.session.timeout.ms
	HeartbeatInterval  time.Duration // group.consumer.heartbeat.interval.ms
	AssignmentInterval time.Duration // group.consumer.assignment.interval.ms
	RegexRefresh       time.Duration // group.consumer.regex.refresh.interval.ms
	MembersMax         int           // group.consumer.max.size
	Assignors          []string      // group.consumer.assignors
	MigrationPolicy    string        // group.consumer.migration.policy, in lower case

	bounds []bound // of what a group may set
}

// bound holds a group's setting between two of the agent's, and the agent's own value of it too.
type bound struct {
	name      string
	least     int64
	most      int64
	value     int64
	dimension string // the words of the agent's settings: group.consumer.min.<dimension>
}

func (v *view) consumerGroups() ConsumerGroups {
	g := ConsumerGroups{
		SessionTimeout:     v.millis("group.consumer.session.timeout.ms"),
		HeartbeatInterval:  v.millis("group.consumer.heartbeat.interval.ms"),
		AssignmentInterval: v.millis("group.consumer.assignment.interval.ms"),
		RegexRefresh:       v.millis("group.consumer.regex.refresh.interval.ms"),
		MembersMax:         int(v.long("group.consumer.max.size")),
		Assignors:          SplitList(v.text("group.consumer.assignors")),
		MigrationPolicy:    strings.ToLower(v.text("group.consumer.migration.policy")),
	}
	for _, dimension := range []string{
		"heartbeat.interval.ms", "session.timeout.ms", "assignment.interval.ms",
	} {
		b := bound{
			name: "consumer." + dimension, dimension: dimension,
			least: v.long("group.consumer.min." + dimension),
			most:  v.long("group.consumer.max." + dimension),
			value: v.long("group.consumer." + dimension),
		}
		if err := b.own(); err != nil && v.err == nil {
			v.err = err
		}
		g.bounds = append(g.bounds, b)
	}
	if g.HeartbeatInterval >= g.SessionTimeout && v.err == nil {
		v.err = &Error{
			Name:   "group.consumer.heartbeat.interval.ms",
			Value:  v.text("group.consumer.heartbeat.interval.ms"),
			Reason: "must be less than group.consumer.session.timeout.ms",
		}
	}
	return g
}

// own checks the agent's settings among themselves.
func (b *bound) own() error {
	prefix := "group.consumer."
	fail := func(name string, value int64, reason string) error {
		return &Error{Name: name, Value: strconv.FormatInt(value, 10), Reason: reason}
	}
	switch {
	case b.most < b.least:
		return fail(prefix+"max."+b.dimension, b.most,
			"must be greater than or equal to "+prefix+"min."+b.dimension)
	case b.value < b.least:
		return fail(prefix+b.dimension, b.value,
			"must be greater than or equal to "+prefix+"min."+b.dimension)
	case b.value > b.most:
		return fail(prefix+b.dimension, b.value,
			"must be less than or equal to "+prefix+"max."+b.dimension)
	}
	return nil
}

// With is the settings of a group that has some of its own, which were validated; what was valid once
// and is out of the agent's bounds now is brought into them, as in Kafka.
func (g ConsumerGroups) With(configs map[string]string) ConsumerGroups {
	set := func(target *time.Duration, b *bound) {
		text, given := configs[b.name]
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if !given || err != nil {
			return
		}
		*target = time.Duration(min(max(n, b.least), b.most)) * time.Millisecond
	}
	set(&g.HeartbeatInterval, &g.bounds[0])
	set(&g.SessionTimeout, &g.bounds[1])
	set(&g.AssignmentInterval, &g.bounds[2])
	return g
}

// check holds a group's own settings against the agent's bounds. The sentences are Kafka's.
func (g *ConsumerGroups) check(configs map[string]string) error {
	for _, b := range g.bounds {
		text, given := configs[b.name]
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		side, limit := "greater than or equal to group.consumer.min.", n < b.least
		if n > b.most {
			side, limit = "less than or equal to group.consumer.max.", true
		}
		if given && err == nil && limit {
			return &Error{
				Name: b.name, Value: text,
				Sentence: fmt.Sprintf("%s must be %s%s", b.name, side, b.dimension),
			}
		}
	}
	if own := g.With(configs); own.HeartbeatInterval >= own.SessionTimeout {
		return &Error{
			Name: "consumer.heartbeat.interval.ms", Value: configs["consumer.heartbeat.interval.ms"],
			Sentence: "consumer.heartbeat.interval.ms must be less than consumer.session.timeout.ms",
		}
	}
	return nil
}
