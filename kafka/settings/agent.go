package settings

import "time"

// Agent is the effective settings of one agent.
type Agent struct {
	AutoCreateTopics         bool           // auto.create.topics.enable
	NumPartitions            int32          // num.partitions
	DefaultReplicationFactor int16          // default.replication.factor
	DeleteTopicEnable        bool           // delete.topic.enable
	FetchMaxBytes            int32          // fetch.max.bytes
	SocketRequestMaxBytes    int32          // socket.request.max.bytes
	QueuedMaxRequestBytes    int64          // queued.max.request.bytes
	ConnectionsMaxIdle       time.Duration  // connections.max.idle.ms
	MaxConnections           int            // max.connections
	MaxConnectionsPerIP      int            // max.connections.per.ip
	TopicPartitionsMax       int32          // varve.topic.partitions.max
	ProducerIDExpiration     time.Duration  // producer.id.expiration.ms
	FetchSessionSlots        int            // max.incremental.fetch.session.cache.slots
	PartitionsPerRequest     int            // max.request.partition.size.limit
	OffsetsTopic             InternalTopic  // offsets.topic.*
	Groups                   Groups         // group.*, offset.* and offsets.*
	ConsumerGroups           ConsumerGroups // group.consumer.*
	TransactionTopic         InternalTopic  // transaction.state.log.*
	Transactions             Transactions
	TransactionTopicMinISR   int           // transaction.state.log.min.isr
	CheckpointMaxAge         time.Duration // varve.checkpoint.max.age.ms
	RetentionCheckInterval   time.Duration // log.retention.check.interval.ms
	Cleaner                  Cleaner       // log.cleaner.*
	// TopicDefaults are explicit agent settings by the name of the topic setting that they are the
	// default of.
	TopicDefaults map[string]string
}

// Transactions is how the transaction coordinators work.
type Transactions struct {
	MaxTimeout     time.Duration // transaction.max.timeout.ms
	IDExpiration   time.Duration // transactional.id.expiration.ms
	AbortInterval  time.Duration // transaction.abort.timed.out.transaction.cleanup.interval.ms
	RemoveInterval time.Duration // transaction.remove.expired.transaction.cleanup.interval.ms
	ConcurrentWait time.Duration // add.partitions.to.txn.retry.backoff.max.ms
	TwoPhase       bool          // transaction.two.phase.commit.enable
	Verification   bool          // transaction.partition.verification.enable
}

// InternalTopic says how a coordinator's topic is created.
type InternalTopic struct {
	Partitions        int32
	ReplicationFactor int16
	SegmentBytes      int64
}

// DefaultAgent is an agent without explicit settings.
func DefaultAgent() *Agent {
	a, err := AgentFromConfigs(nil)
	if err != nil {
		panic("settings: a default is invalid: " + err.Error())
	}
	return a
}

// AgentFromConfigs parses explicit agent settings, of which those of the first map that has a name
// win. The error is a *Error.
func AgentFromConfigs(configs ...map[string]string) (*Agent, error) {
	all := make(map[string]string)
	for _, m := range configs {
		for name, value := range m {
			if _, ok := all[name]; !ok {
				all[name] = value
			}
		}
	}
	v := view{explicit: all, index: agentIndex}
	a := &Agent{
		AutoCreateTopics:         v.boolean("auto.create.topics.enable"),
		NumPartitions:            int32(v.long("num.partitions")),
		DefaultReplicationFactor: int16(v.long("default.replication.factor")),
		DeleteTopicEnable:        v.boolean("delete.topic.enable"),
		FetchMaxBytes:            int32(v.long("fetch.max.bytes")),
		SocketRequestMaxBytes:    int32(v.long("socket.request.max.bytes")),
		QueuedMaxRequestBytes:    v.long("queued.max.request.bytes"),
		ConnectionsMaxIdle:       v.millis("connections.max.idle.ms"),
		MaxConnections:           int(v.long("max.connections")),
		MaxConnectionsPerIP:      int(v.long("max.connections.per.ip")),
		TopicPartitionsMax:       int32(v.long("varve.topic.partitions.max")),
		ProducerIDExpiration:     v.millis("producer.id.expiration.ms"),
		OffsetsTopic:             v.internalTopic("offsets.topic."),
		Groups:                   v.groups(),
		ConsumerGroups:           v.consumerGroups(),
		TransactionTopic:         v.internalTopic("transaction.state.log."),
		TransactionTopicMinISR:   int(v.long("transaction.state.log.min.isr")),
		FetchSessionSlots:        int(v.long("max.incremental.fetch.session.cache.slots")),
		PartitionsPerRequest:     int(v.long("max.request.partition.size.limit")),
		Transactions: Transactions{
			MaxTimeout:     v.millis("transaction.max.timeout.ms"),
			IDExpiration:   v.millis("transactional.id.expiration.ms"),
			AbortInterval:  v.millis("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
			RemoveInterval: v.millis("transaction.remove.expired.transaction.cleanup.interval.ms"),
			ConcurrentWait: v.millis("add.partitions.to.txn.retry.backoff.max.ms"),
			TwoPhase:       v.boolean("transaction.two.phase.commit.enable"),
			Verification:   v.boolean("transaction.partition.verification.enable"),
		},
		CheckpointMaxAge:       v.millis("varve.checkpoint.max.age.ms"),
		RetentionCheckInterval: v.millis("log.retention.check.interval.ms"),
		Cleaner:                v.cleaner(),
		TopicDefaults:          topicDefaults(all),
	}
	return a, v.err
}

func (v *view) internalTopic(prefix string) InternalTopic {
	return InternalTopic{
		Partitions:        int32(v.long(prefix + "num.partitions")),
		ReplicationFactor: int16(v.long(prefix + "replication.factor")),
		SegmentBytes:      v.long(prefix + "segment.bytes"),
	}
}

// ValidateAgent checks explicit agent settings: unknown names, types, bounds, and values that are
// not supported. The error is a *Error.
func ValidateAgent(configs map[string]string) error {
	if err := validateEach(configs, agentIndex); err != nil {
		return err
	}
	_, err := FromConfigs(topicDefaults(configs), nil)
	return err
}

// topicDefaults renames the agent's side of topic settings.
func topicDefaults(agent map[string]string) map[string]string {
	defaults := make(map[string]string)
	for _, t := range topicSettings {
		if value, ok := agent[t.AgentName]; ok && t.AgentName != "" {
			defaults[t.Name] = value
			continue
		}
		for _, c := range t.Coarser {
			// What is no number is not given: validation has refused it.
			if millis, ok := c.Millis(agent[c.Name]); ok {
				defaults[t.Name] = millis
				break
			}
		}
	}
	return defaults
}
