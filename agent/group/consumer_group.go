package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// consumerGroup is a group of the consumer protocol (KIP-848).
type consumerGroup struct{}

var _ group = (*consumerGroup)(nil)

func (g *consumerGroup) kind() Type               { return Consumer }
func (g *consumerGroup) state() string            { return "Empty" }
func (g *consumerGroup) protocolType() string     { return consumerProtocol }
func (g *consumerGroup) empty() bool              { return true }
func (g *consumerGroup) mayDeleteOffsets() error  { return nil }
func (g *consumerGroup) mayDelete() error         { return nil }
func (g *consumerGroup) subscribedTo(string) bool { return false }
func (g *consumerGroup) start(*turn)              {}
func (g *consumerGroup) stop()                    {}

func (g *consumerGroup) mayCommit(
	committer,
) (func(topic kafka.TopicID, partition int32) error, error) {
	return nil, nil
}

func (g *consumerGroup) mayFetch(*string, int32) error { return nil }

func (g *consumerGroup) expiry(committed time.Time) (time.Time, bool) { return committed, true }

func (g *consumerGroup) tombstones(records []coordinator.Record) []coordinator.Record { return records }

// replayConsumer takes in a record of the consumer protocol.
func (m *Machine) replayConsumer(version int16, _ coordinator.Stored) error {
	return unknownKey(version)
}

// The requests of the classic protocol of members of a consumer group (online change).

func (m *Machine) joinConsumer(t *turn, to coordinator.Token, g *consumerGroup, q JoinRequest) {
	t.Refuse(to, ErrUnknownMember)
}

func (m *Machine) syncConsumer(t *turn, to coordinator.Token, g *consumerGroup, q SyncRequest) {
	t.Refuse(to, ErrUnknownMember)
}

func (m *Machine) heartbeatConsumer(
	t *turn, to coordinator.Token, g *consumerGroup, q HeartbeatRequest,
) {
	t.Refuse(to, ErrUnknownMember)
}

func (m *Machine) leaveConsumer(t *turn, to coordinator.Token, g *consumerGroup, q LeaveRequest) {
	t.Refuse(to, ErrUnknownMember)
}
