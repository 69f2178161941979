package settings

import "time"

// Agent is the effective settings of one agent.
type Agent struct {
	AutoCreateTopics         bool          // auto.create.topics.enable
	NumPartitions            int32         // num.partitions
	DefaultReplicationFactor int16         // default.replication.factor
	DeleteTopicEnable        bool          // delete.topic.enable
	FetchMaxBytes            int32         // fetch.max.bytes
	SocketRequestMaxBytes    int32         // socket.request.max.bytes
	QueuedMaxRequestBytes    int64         // queued.max.request.bytes
	ConnectionsMaxIdle       time.Duration // connections.max.idle.ms
	MaxConnections           int           // max.connections
	MaxConnectionsPerIP      int           // max.connections.per.ip
	MaxPartitionsPerTopic    int32         // varve.topic.partitions.max
	ProducerIDExpiration     time.Duration // producer.id.expiration.ms
	// TopicDefaults are explicit agent settings by the topic setting that they are the default of.
	TopicDefaults map[string]string
}

// DefaultAgent is an agent without explicit settings.
func DefaultAgent() *Agent { return &Agent{} }

// AgentFromConfigs parses explicit agent settings. The error is a *Error.
func AgentFromConfigs(configs map[string]string) (*Agent, error) { return &Agent{}, nil }

// ValidateAgent checks explicit agent settings. The error is a *Error.
func ValidateAgent(configs map[string]string) error { return nil }
