package reconcile

import (
	"errors"
	"maps"

	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/kafka"
)

// ErrUnknownState: the member's state was written by a later version. It must give up all partitions and
// join again.
var ErrUnknownState = errors.New("member is in an unknown state")

// State says what a member waits for. The numbers are those of Kafka's records.
type State int8

// The states of a member.
const (
	// Stable: the member has what its epoch gives it.
	Stable State = 0
	// Unrevoked: its client has to give up Revoking first.
	Unrevoked State = 1
	// Unreleased: it is in the target's epoch and waits for partitions that others hold.
	Unreleased State = 2
	// Unknown: a state of a later version.
	Unknown State = 127
)

// Epochs is partitions, each with the epoch in which it was assigned. It is immutable; a topic without
// partitions is not in it.
type Epochs map[kafka.TopicID]map[int32]int32

// Has reports whether the partition is in it.
func (e Epochs) Has(topic kafka.TopicID, partition int32) bool {
	_, has := e[topic][partition]
	return has
}

// Equal reports whether both hold the same partitions with the same epochs.
func (e Epochs) Equal(other Epochs) bool {
	return maps.EqualFunc(e, other, func(a, b map[int32]int32) bool { return maps.Equal(a, b) })
}

// Member is how far a member is.
type Member struct {
	State State
	// Epoch is the group epoch that the member reached, PreviousEpoch the one before.
	Epoch, PreviousEpoch int32
	// Assigned is what it may read. Revoking it has to give up.
	Assigned, Revoking Epochs
}

// Equal reports whether nothing differs.
func (m Member) Equal(other Member) bool {
	return m.State == other.State && m.Epoch == other.Epoch && m.PreviousEpoch == other.PreviousEpoch &&
		m.Assigned.Equal(other.Assigned) && m.Revoking.Equal(other.Revoking)
}

// Reached reports whether the member is where the target of that epoch wants it.
func (m Member) Reached(epoch int32) bool { return m.State == Stable && m.Epoch == epoch }

// Target is where a member is to get, and what it depends on.
type Target struct {
	Epoch      int32
	Assignment assignor.Assignment
	// Subscribed reports whether the member subscribes to a topic: the target may be older than its
	// subscription. Resubscribed says that this very heartbeat changed it.
	Subscribed   func(kafka.TopicID) bool
	Resubscribed bool
	// Held reports whether any member holds the partition.
	Held func(kafka.TopicID, int32) bool
	// Owned is what the client says it reads; nil if it did not say.
	Owned assignor.Assignment
}

// Next is where the member is after a heartbeat: nearer to the target, or where it was.
func (m Member) Next(t Target) (Member, error) {
	switch m.State {
	case Stable:
		if m.Epoch == t.Epoch && t.Resubscribed {
			return m.drop(t), nil
		}
		if m.Epoch == t.Epoch {
			return m, nil
		}
	case Unrevoked:
		if !t.owns(m.Revoking) {
			break
		}
		if t.Resubscribed {
			return m.drop(t), nil
		}
		return m, nil
	case Unreleased:
	default:
		if t.Owned == nil || len(t.Owned) > 0 {
			return m, ErrUnknownState
		}
	}
	return m.advance(t), nil
}
