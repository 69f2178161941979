package group

import (
	"fmt"
	"maps"
	"slices"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/reconcile"
	"github.com/varve-log/varve/kafka"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// consumer finds the consumer group of an id; with make, it makes one in place of anything else: offsets
// committed without membership may come before the group's own records.
func (m *Machine) consumer(id string, make bool) *consumerGroup {
	if e := m.groups[id]; e != nil {
		if g, is := e.group.(*consumerGroup); is {
			return g
		}
	}
	if !make {
		return nil
	}
	g := newConsumerGroup(m, id)
	m.setGroup(id, g)
	return g
}

// replayConsumer takes in a record of the consumer protocol.
func (m *Machine) replayConsumer(version int16, r coordinator.Stored) error {
	names, err := consumerNames(version, r.Key[2:])
	if err != nil {
		return err
	}
	g := m.consumer(names[0], r.Value != nil)
	if g == nil {
		return nil // the tombstone of what is not there
	}
	switch version {
	case keyEpoch:
		return g.replayEpoch(r.Value)
	case keyOldTopics:
		g.oldTopics = r.Value != nil
		return nil
	case keyMember:
		return g.replayMember(names[1], r.Value)
	case keyTargetEpoch:
		return g.replayTargetEpoch(r.Value)
	case keyTarget:
		return g.replayTarget(names[1], r.Value)
	case keyCurrent:
		return g.replayCurrent(names[1], r.Value)
	default:
		return g.replayRegex(names[1], r.Value)
	}
}

// consumerNames reads the group id of a key, and the member id or regular expression if it has one.
func consumerNames(version int16, key []byte) ([]string, error) {
	n := 2
	switch version {
	case keyEpoch, keyOldTopics, keyTargetEpoch:
		n = 1
	case keyMember, keyTarget, keyCurrent, keyRegex:
	default:
		return nil, unknownKey(version)
	}
	names := make([]string, 0, n)
	for range n {
		name, rest, ok := takeString(key)
		if !ok {
			return nil, fmt.Errorf("%w: consumer group key is cut short", ErrUnknownRecord)
		}
		names, key = append(names, string(name)), rest
	}
	if len(key) != 0 {
		return nil, fmt.Errorf("%w: consumer group key is too long", ErrUnknownRecord)
	}
	return names, nil
}

func (g *consumerGroup) replayEpoch(value []byte) error {
	if value == nil {
		g.m.dropGroup(g.id)
		return nil
	}
	b, err := openValue(value)
	if err != nil {
		return err
	}
	epoch, hash := b.Int32(), tag64(b)
	if err := closeValue(b, "consumer group"); err != nil {
		return err
	}
	g.epoch, g.hash = epoch, hash
	return nil
}

func (g *consumerGroup) replayTargetEpoch(value []byte) error {
	if value == nil {
		g.targetEpoch, g.targetAt = -1, 0
		return nil
	}
	b, err := openValue(value)
	if err != nil {
		return err
	}
	epoch, at := b.Int32(), tag64(b)
	if err := closeValue(b, "epoch of a target assignment"); err != nil {
		return err
	}
	g.targetEpoch, g.targetAt = epoch, kafka.Timestamp(at)
	return nil
}

func (g *consumerGroup) replayMember(id string, value []byte) error {
	if value == nil {
		g.remove(id)
		return nil
	}
	c, err := decodeMember(value, *g.known(id))
	if err != nil {
		return err
	}
	g.put(c)
	return nil
}

// known is the member of an id, or one that has not joined.
func (g *consumerGroup) known(id string) *consumerMember {
	if c := g.members[id]; c != nil {
		return c
	}
	return newConsumerMember(id)
}

func (g *consumerGroup) replayTarget(id string, value []byte) error {
	if value == nil {
		delete(g.target, id)
		return nil
	}
	a, err := decodeTarget(value)
	if err != nil {
		return err
	}
	g.target[id] = a
	return nil
}

// replayCurrent takes in what a member has. A tombstone leaves a member without partitions, which the
// tombstone of the member itself follows.
func (g *consumerGroup) replayCurrent(id string, value []byte) error {
	if value == nil && g.members[id] == nil {
		return nil
	}
	c := *g.known(id)
	c.reconciled = reconcile.Member{Epoch: EpochLeave, PreviousEpoch: EpochLeave}
	if value != nil {
		var err error
		if c.reconciled, err = decodeCurrent(value); err != nil {
			return err
		}
	}
	g.put(&c)
	return nil
}

func (g *consumerGroup) replayRegex(regex string, value []byte) error {
	if value == nil {
		g.resolve(regex, nil)
		return nil
	}
	r, err := decodeRegex(value)
	if err != nil {
		return err
	}
	g.resolve(regex, &r)
	return nil
}
