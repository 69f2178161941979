package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Type is a group's type by Kafka's name.
type Type string

// The types that exist here.
const (
	Classic  Type = "classic"
	Consumer Type = "consumer"
)

// group is what both kinds of groups do for requests that take either.
type group interface {
	kind() Type
	// state is Kafka's name of the group's state.
	state() string
	// protocolType is empty where no member has named one yet.
	protocolType() string
	// empty groups have no members.
	empty() bool
	// mayCommit decides on a commit; the returned check, if not nil, decides on each partition.
	mayCommit(c committer) (func(topic kafka.TopicID, partition int32) error, error)
	// mayFetch decides on a fetch of offsets.
	mayFetch(memberID *string, epoch int32) error
	mayDeleteOffsets() error
	mayDelete() error
	// subscribedTo says that offsets of a topic are in use.
	subscribedTo(topic string) bool
	// expiry gives the time from which the retention of a committed offset counts; false: it does not
	// expire now.
	expiry(committed time.Time) (since time.Time, ok bool)
	// tombstones appends the records that end the group, offsets not counted.
	tombstones(records []coordinator.Record) []coordinator.Record
	// start sets the deadlines of a group that was loaded.
	start(t *turn)
	// stop stops all of the group's timers.
	stop()
}

// committer is who commits offsets.
type committer struct {
	memberID      string
	instanceID    *string
	generation    int32 // or member epoch
	transactional bool
	version       int16 // of OffsetCommit or TxnOffsetCommit
}

// entry is all that is known under a group id. It exists while it has a group or offsets.
type entry struct {
	id      string
	group   group // nil only between the records of a change
	offsets offsets
}

// lookup finds a group of any type.
func (m *Machine) lookup(id string) (group, error) {
	if e := m.groups[id]; e != nil && e.group != nil {
		return e.group, nil
	}
	return nil, ErrGroupIDNotFound
}

// otherType says why a group that was looked for by its type was not found.
func (m *Machine) otherType(id string) error {
	if _, err := m.lookup(id); err != nil {
		return err
	}
	return ErrOtherGroupType
}

// entryOf finds or makes the entry of an id.
func (m *Machine) entryOf(id string) *entry {
	e := m.groups[id]
	if e == nil {
		e = &entry{id: id}
		m.groups[id] = e
	}
	return e
}

// setGroup makes g the group of an id, in place of any other, whose timers stop.
func (m *Machine) setGroup(id string, g group) {
	e := m.entryOf(id)
	if e.group != nil && e.group != g {
		e.group.stop()
	}
	e.group = g
}

// dropGroup takes a group away; its offsets stay until their own tombstones.
func (m *Machine) dropGroup(id string) {
	e := m.groups[id]
	if e == nil {
		return
	}
	if e.group != nil {
		e.group.stop()
		e.group = nil
	}
	m.forget(e)
}

// forget drops an entry that holds nothing.
func (m *Machine) forget(e *entry) {
	if e.group == nil && e.offsets.none() {
		delete(m.groups, e.id)
	}
}
