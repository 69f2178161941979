package settings

import (
	"slices"
	"strings"
)

// ownAgentSettings is the table of agent settings that are not the default of a topic setting.
var ownAgentSettings = sorted(slices.Concat([]*Setting{
	{
		Name: "add.partitions.to.txn.retry.backoff.max.ms", Type: Int, Default: "100", ReadOnly: true,
		Doc: "Milliseconds that the first partition of a transaction waits for the end of the one " +
			"before.",
		check: atLeast(0),
	},
	{
		Name: "auto.create.topics.enable", Type: Boolean, Default: "true", ReadOnly: true,
		Doc: "Create a topic when a client asks for the metadata of one that does not exist.",
	},
	{
		Name: "connections.max.idle.ms", Type: Long, Default: "600000", ReadOnly: true,
		Doc:   "Close connections without a request for this many milliseconds.",
		check: atLeast(1),
	},
	{
		Name: "default.replication.factor", Type: Int, Default: "1", ReadOnly: true,
		Doc:   "Replication factor of topics that are created without one.",
		check: between(1, 32767),
	},
	{
		Name: "delete.topic.enable", Type: Boolean, Default: "true", ReadOnly: true,
		Doc: "Allow topics to be deleted.",
	},
	{
		Name: "fetch.max.bytes", Type: Int, Default: "57671680", ReadOnly: true,
		Doc:   "Bound on one fetch answer whatever the client asks for. Unit bytes.",
		check: atLeast(1024),
	},
	{
		Name: "log.retention.check.interval.ms", Type: Long, Default: "300000", ReadOnly: true,
		Doc:   "Milliseconds between two looks for segments that retention removes.",
		check: atLeast(1),
	},
	{
		Name: "log.retention.hours", Type: Int, Default: "168", ReadOnly: true,
		Doc: "log.retention.ms in hours, where that and log.retention.minutes are not given.",
	},
	{
		Name: "log.retention.minutes", Type: Int, Default: "", ReadOnly: true,
		Doc: "log.retention.ms in minutes, where that is not given.",
	},
	{
		Name: "log.roll.hours", Type: Int, Default: "168", ReadOnly: true,
		Doc:   "log.roll.ms in hours, where that is not given.",
		check: atLeast(1),
	},
	{
		Name: "log.roll.jitter.hours", Type: Int, Default: "0", ReadOnly: true,
		Doc:   "log.roll.jitter.ms in hours, where that is not given.",
		check: atLeast(0),
	},
	{
		Name: "max.connections", Type: Int, Default: "10000", ReadOnly: true,
		Doc:   "Bound on open client connections.",
		check: atLeast(1),
	},
	{
		Name: "max.connections.per.ip", Type: Int, Default: "10000", ReadOnly: true,
		Doc:   "Bound on open client connections of one address.",
		check: atLeast(1),
	},
	{
		Name: "max.incremental.fetch.session.cache.slots", Type: Int, Default: "1000", ReadOnly: true,
		Doc:   "Bound on incremental fetch sessions; a client without one sends whole requests.",
		check: atLeast(0),
	},
	{
		Name: "max.request.partition.size.limit", Type: Int, Default: "2000", ReadOnly: true,
		Doc:   "Bound on the partitions of one answer to DescribeTopicPartitions.",
		check: atLeast(1),
	},
	{
		Name: "num.partitions", Type: Int, Default: "1", ReadOnly: true,
		Doc:   "Partitions of topics that are created without a count.",
		check: atLeast(1),
	},
	{
		Name: "offsets.topic.num.partitions", Type: Int, Default: "50", ReadOnly: true,
		Doc:   "Partitions of __consumer_offsets when it is created.",
		check: atLeast(1),
	},
	{
		Name: "offsets.topic.replication.factor", Type: Int, Default: "3", ReadOnly: true,
		Doc:   "Replicas of __consumer_offsets when it is created; at most the agents there are.",
		check: between(1, 32767),
	},
	{
		Name: "offsets.topic.segment.bytes", Type: Int, Default: "104857600", ReadOnly: true,
		Doc:   "segment.bytes of __consumer_offsets when it is created.",
		check: atLeast(1),
	},
	{
		Name: "producer.id.expiration.ms", Type: Int, Default: "86400000", ReadOnly: true,
		Doc:   "Milliseconds after which an idle producer's sequence numbers are forgotten.",
		check: atLeast(1),
	},
	{
		Name: "queued.max.request.bytes", Type: Long, Default: "536870912", ReadOnly: true,
		Doc:   "Bound on the request bytes held over all connections.",
		check: atLeast(1 << 20),
	},
	{
		Name: "socket.request.max.bytes", Type: Int, Default: "104857600", ReadOnly: true,
		Doc:   "The largest request. Unit bytes.",
		check: atLeast(1024),
	},
	{
		Name: "transaction.state.log.min.isr", Type: Int, Default: "2", ReadOnly: true,
		Doc:   "min.insync.replicas of __transaction_state when it is created.",
		check: atLeast(1),
	},
	{
		Name: "transaction.abort.timed.out.transaction.cleanup.interval.ms", Type: Int,
		Default: "10000", ReadOnly: true,
		Doc:   "Milliseconds between two looks for transactions that ran out of time.",
		check: atLeast(1),
	},
	{
		Name: "transaction.max.timeout.ms", Type: Int, Default: "900000", ReadOnly: true,
		Doc:   "The largest transaction time-out that a producer may ask for, in milliseconds.",
		check: atLeast(1),
	},
	{
		Name: "transaction.partition.verification.enable", Type: Boolean, Default: "true", ReadOnly: true,
		Doc: "Ask the coordinator whether a partition is part of a transaction before its first batch " +
			"is appended (KIP-890).",
	},
	{
		Name: "transaction.remove.expired.transaction.cleanup.interval.ms", Type: Int,
		Default: "3600000", ReadOnly: true,
		Doc:   "Milliseconds between two looks for transactional ids that expired.",
		check: atLeast(1),
	},
	{
		Name: "transaction.state.log.num.partitions", Type: Int, Default: "50", ReadOnly: true,
		Doc:   "Partitions of __transaction_state when it is created.",
		check: atLeast(1),
	},
	{
		Name: "transaction.state.log.replication.factor", Type: Int, Default: "3", ReadOnly: true,
		Doc:   "Replicas of __transaction_state when it is created; at most the agents there are.",
		check: between(1, 32767),
	},
	{
		Name: "transaction.state.log.segment.bytes", Type: Int, Default: "104857600", ReadOnly: true,
		Doc:   "segment.bytes of __transaction_state when it is created.",
		check: atLeast(1),
	},
	{
		Name: "transaction.two.phase.commit.enable", Type: Boolean, Default: "false", ReadOnly: true,
		Doc: "Let producers have transactions without a time-out (KIP-939).",
	},
	{
		Name: "transactional.id.expiration.ms", Type: Int, Default: "604800000", ReadOnly: true,
		Doc:   "Milliseconds after which a transactional id without a transaction is forgotten.",
		check: atLeast(1),
	},
	{
		Name: "varve.checkpoint.max.age.ms", Type: Int, Default: "10000", ReadOnly: true,
		Doc:   "Milliseconds for which a change of a compacted topic may be on local disk alone.",
		check: atLeast(100),
	},
	{
		Name: "varve.topic.partitions.max", Type: Int, Default: "10000", ReadOnly: true,
		Doc:   "Partitions that one request may create, and that one topic may have.",
		check: atLeast(1),
	},
}, cleanerAgentSettings, groupAgentSettings, consumerAgentSettings, fixedAgentSettings))

var (
	agentSettings = buildAgentSettings()
	agentIndex    = indexOf(agentSettings)
)

// buildAgentSettings adds the agent's side of topic settings, ordered by name.
func buildAgentSettings() []*Setting {
	table := slices.Clone(ownAgentSettings)
	for _, t := range topicSettings {
		if t.AgentName == "" {
			continue
		}
		a := *t
		a.Name, a.AgentName = t.AgentName, ""
		a.Doc = "Default of the topic setting " + t.Name + ". " + t.Doc
		switch a.Name {
		case "log.retention.ms", "log.roll.ms", "log.roll.jitter.ms", "log.flush.interval.ms":
			a.Default = "" // not given: coarser settings, or the topic's default, decide
		}
		table = append(table, &a)
	}
	return sorted(table)
}

// sorted orders a table by name.
func sorted(table []*Setting) []*Setting {
	slices.SortFunc(table, func(a, b *Setting) int { return strings.Compare(a.Name, b.Name) })
	return table
}

// AgentSettings lists the agent settings ordered by name. The slice and its values are shared and
// must not be changed.
func AgentSettings() []*Setting { return agentSettings }

// AgentSetting finds an agent setting by name.
func AgentSetting(name string) (*Setting, bool) {
	s, ok := agentIndex[name]
	return s, ok
}
