package group

import (
	"fmt"
	"math"
	"time"
)

// Config holds what the groups of an agent are bounded by. Kafka's names are in kafka/settings.
type Config struct {
	// SessionTimeoutMin and SessionTimeoutMax bound what members of classic groups ask for. Defaults
	// 6 s and 30 min.
	SessionTimeoutMin, SessionTimeoutMax time.Duration
	// InitialRebalanceDelay is how long the first rebalance of an empty classic group waits for more
	// members. Default 3 s, not negative.
	InitialRebalanceDelay time.Duration
	// NewMemberJoinTimeout is how long a join of a new member waits before the member is taken for
	// gone, since it cannot send heartbeats yet. Default 5 min, positive.
	NewMemberJoinTimeout time.Duration
	// MembersMax bounds the members of a classic group. Default 2^31-1, at least 1.
	MembersMax int
	// PendingMembersMax bounds the members of a classic group that got an id and did not join with it
	// yet (V10). Default 10000, at least 1.
	PendingMembersMax int
	// GroupBytesMax bounds the subscriptions and assignments of a classic group together, which become
	// one record (V10). Default 1 MiB, at least 1 KiB.
	GroupBytesMax int
	// BatchBytesMax bounds the records that one commit makes (V10). Default 1 MiB, at least 1 KiB.
	BatchBytesMax int
	// OffsetMetadataMax bounds a commit's metadata, in UTF-16 units as Kafka counts. Default 4096.
	OffsetMetadataMax int
	// OffsetsRetention is how long offsets of an empty group, or of one that does not subscribe to
	// their topic, are kept. Default 7 days, positive.
	OffsetsRetention time.Duration
	// OffsetsRetentionCheck is the time between two looks for expired offsets. Default 10 min, positive.
	OffsetsRetentionCheck time.Duration
	// Consumer is what concerns groups of the consumer protocol only.
	Consumer ConsumerConfig
}

// DefaultConfig gives Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		SessionTimeoutMin: 6 * time.Second, SessionTimeoutMax: 30 * time.Minute,
		InitialRebalanceDelay: 3 * time.Second, NewMemberJoinTimeout: 5 * time.Minute,
		MembersMax: math.MaxInt32, PendingMembersMax: 10_000, GroupBytesMax: 1 << 20,
		BatchBytesMax:     1 << 20,
		OffsetMetadataMax: 4096,
		OffsetsRetention:  7 * 24 * time.Hour, OffsetsRetentionCheck: 10 * time.Minute,
		Consumer: DefaultConsumerConfig(),
	}
}

// Validate names the first field that is out of bounds.
func (c Config) Validate() error {
	for _, f := range []struct {
		name string
		ok   bool
	}{
		{"SessionTimeoutMax", c.SessionTimeoutMin <= c.SessionTimeoutMax},
		{"InitialRebalanceDelay", c.InitialRebalanceDelay >= 0},
		{"NewMemberJoinTimeout", c.NewMemberJoinTimeout > 0},
		{"MembersMax", c.MembersMax >= 1},
		{"PendingMembersMax", c.PendingMembersMax >= 1},
		{"GroupBytesMax", c.GroupBytesMax >= 1<<10},
		{"BatchBytesMax", c.BatchBytesMax >= 1<<10},
		{"OffsetMetadataMax", c.OffsetMetadataMax >= 0},
		{"OffsetsRetention", c.OffsetsRetention > 0},
		{"OffsetsRetentionCheck", c.OffsetsRetentionCheck > 0},
	} {
		if !f.ok {
			return fmt.Errorf("group config: %s is out of bounds", f.name)
		}
	}
	return c.Consumer.Validate()
}
