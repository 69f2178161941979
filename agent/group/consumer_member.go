package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/group/reconcile"
)

// Epochs that a member sends instead of its own.
const (
	// EpochJoin joins or joins anew.
	EpochJoin int32 = 0
	// EpochLeave leaves for good.
	EpochLeave int32 = -1
	// EpochLeaveStatic leaves for a while; the partitions wait for the next one of the same instance.
	EpochLeaveStatic int32 = -2
)

// consumerMember is a member of a consumer group. It is immutable.
type consumerMember struct {
	id         string
	instance   string // empty: a dynamic member
	rack       string
	client     Client
	rebalance  time.Duration // how long a revocation may take; negative: not said
	topics     []string      // subscribed by name, ascending
	regex      string        // subscribed by regular expression; empty: none
	assignor   string        // the server-side assignor it likes; empty: any
	classic    *classicSide  // of a member that speaks the classic protocol
	reconciled reconcile.Member
}

// classicSide is what a member that speaks the classic protocol says in it. It is immutable.
type classicSide struct {
	session   time.Duration
	protocols []Protocol
}

// newConsumerMember is a member that has not joined yet.
func newConsumerMember(id string) *consumerMember {
	return &consumerMember{
		id: id, rebalance: -time.Millisecond, reconciled: reconcile.Member{PreviousEpoch: -1},
	}
}

// epoch that the member reached.
func (c *consumerMember) epoch() int32 { return c.reconciled.Epoch }

// sameMetadata reports whether a record of the member's metadata would say the same.
func (c *consumerMember) sameMetadata(o *consumerMember) bool {
	return c.id == o.id && c.instance == o.instance && c.rack == o.rack && c.client == o.client &&
		c.rebalance == o.rebalance && c.regex == o.regex && c.assignor == o.assignor &&
		slices.Equal(c.topics, o.topics) && c.classic.equal(o.classic)
}

func (c *classicSide) equal(o *classicSide) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.session == o.session && slices.EqualFunc(c.protocols, o.protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// memberTimers are the deadlines of one member.
type memberTimers struct {
	session, rebalance timer
	// join and sync are those of a member that speaks the classic protocol.
	join, sync timer
	// revokingIn is the epoch that the rebalance timer expects the member to leave.
	revokingIn int32
}
