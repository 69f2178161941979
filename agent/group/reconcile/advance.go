package reconcile

import (
	"maps"

	"github.com/varve-log/varve/kafka"
)

// owns reports whether the client may still read any of the partitions: it says so, or says nothing.
func (t Target) owns(any Epochs) bool {
	if t.Owned == nil {
		return true
	}
	for topic, partitions := range t.Owned {
		for _, p := range partitions {
			if any.Has(topic, p) {
				return true
			}
		}
	}
	return false
}

// wants reports whether the target gives the partitions of a topic to the member, as a set.
func (t Target) wants(topic kafka.TopicID) map[int32]bool {
	if !t.Subscribed(topic) {
		return nil
	}
	set := make(map[int32]bool, len(t.Assignment[topic]))
	for _, p := range t.Assignment[topic] {
		set[p] = true
	}
	return set
}

// drop takes away the topics that the member no longer subscribes to, in the epoch it is in: a new
// target may take its time, but nobody is left with what it did not ask for.
func (m Member) drop(t Target) Member {
	next := m
	next.Assigned, next.Revoking = Epochs{}, maps.Clone(m.Revoking)
	if next.Revoking == nil {
		next.Revoking = Epochs{}
	}
	for topic, partitions := range m.Assigned {
		if t.Subscribed(topic) {
			next.Assigned[topic] = partitions
			continue
		}
		merged := maps.Clone(partitions)
		maps.Copy(merged, m.Revoking[topic])
		next.Revoking[topic] = merged
	}
	if len(next.Assigned) == len(m.Assigned) {
		return m
	}
	next.PreviousEpoch = m.Epoch
	if t.owns(next.Revoking) {
		next.State = Unrevoked
	} else { // the client never had them
		next.Revoking = m.Revoking
	}
	return next
}

// advance compares what the member has with the target: it revokes, or moves on to the target's epoch.
func (m Member) advance(t Target) Member {
	next := Member{Epoch: m.Epoch, PreviousEpoch: m.Epoch, Assigned: Epochs{}, Revoking: Epochs{}}
	for topic, partitions := range m.Assigned {
		wanted := t.wants(topic)
		for p, epoch := range partitions {
			if wanted[p] {
				next.Assigned.add(topic, p, epoch)
			} else {
				next.Revoking.add(topic, p, epoch)
			}
		}
	}
	if len(next.Revoking) > 0 && t.owns(next.Revoking) {
		next.State = Unrevoked
		return next
	}
	next.Epoch, next.Revoking = t.Epoch, Epochs{}
	for topic := range t.Assignment {
		for p := range t.wants(topic) {
			switch {
			case next.Assigned.Has(topic, p):
			case t.Held(topic, p) && !m.Revoking.Has(topic, p):
				next.State = Unreleased
			default:
				next.Assigned.add(topic, p, t.Epoch)
			}
		}
	}
	return next
}

// add is for the maker of an Epochs only.
func (e Epochs) add(topic kafka.TopicID, partition, epoch int32) {
	if e[topic] == nil {
		e[topic] = map[int32]int32{}
	}
	e[topic][partition] = epoch
}
