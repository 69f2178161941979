package group

import (
	"maps"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
)

// cleanRecordsMax and cleanGroupsMax bound what one Tick cleans up; the next goes on at once (V10).
const (
	cleanRecordsMax = 1000
	cleanGroupsMax  = 5000
)

// sweep is one walk over the groups: for offsets that have expired, or whose topic is gone.
type sweep struct {
	left    []string                // group ids, in order
	deleted map[string]DeletedTopic // nil: what has expired
}

// TopicsDeleted deletes the offsets of topics that are gone, in steps of a bounded size: the first at
// once, the others by Tick.
func (m *Machine) TopicsDeleted(now time.Time, topics []DeletedTopic) coordinator.Effects {
	t := &turn{now: now}
	s := &sweep{left: m.ids(), deleted: make(map[string]DeletedTopic, len(topics))}
	for _, topic := range topics {
		s.deleted[topic.Name] = topic
	}
	m.sweeps = append(m.sweeps, s)
	m.clean(t)
	return t.Effects
}

// ids lists the groups, in order.
func (m *Machine) ids() []string { return slices.Sorted(maps.Keys(m.groups)) }

// clean goes on with the sweeps, or starts to look for what has expired.
func (m *Machine) clean(t *turn) {
	if len(m.sweeps) == 0 {
		m.expireNext = t.now.Add(m.cfg.OffsetsRetentionCheck)
		m.sweeps = append(m.sweeps, &sweep{left: m.ids()})
	}
	looked := 0
	for len(m.sweeps) > 0 && len(t.Records) < cleanRecordsMax && looked < cleanGroupsMax {
		s := m.sweeps[0]
		if len(s.left) == 0 {
			m.sweeps = m.sweeps[1:]
			continue
		}
		looked++
		if e := m.groups[s.left[0]]; e == nil || m.cleanGroup(t, s, e) {
			s.left = s.left[1:]
		}
	}
	next := t.now
	if len(m.sweeps) == 0 {
		next = m.expireNext
	}
	m.timers.stop(&m.cleaner)
	m.timers.set(&m.cleaner, next)
}

// cleanGroup does one group's part of a sweep; false: there is more to do.
func (m *Machine) cleanGroup(t *turn, s *sweep, e *entry) bool {
	kept := false
	for _, at := range e.places() {
		gone := m.goneTopic(s, e, at)
		if s.deleted == nil {
			gone = m.expired(t, e, at)
		}
		if !gone {
			kept = true
			continue
		}
		if len(t.Records) >= cleanRecordsMax {
			return false
		}
		m.deleteOffset(t, e, at)
	}
	// What has neither members nor offsets is not kept.
	if s.deleted == nil && !kept && e.group != nil && e.group.empty() {
		m.endGroup(t, e)
	}
	return true
}

// goneTopic reports whether what is committed for a partition is of a topic that is gone.
func (m *Machine) goneTopic(s *sweep, e *entry, at place) bool {
	topic, ok := s.deleted[at.topic]
	if !ok {
		return false
	}
	if c := e.offsets.get(at.topic, at.partition); c != nil && !foreign(c.topic, topic.ID) {
		return true
	}
	for _, id := range e.offsets.open[at] {
		if c, ok := m.pending[id].byGroup[e.id][at]; ok && !foreign(c.topic, topic.ID) {
			return true
		}
	}
	return false
}

// expired reports whether a committed offset has outlived its retention and nothing needs it.
func (m *Machine) expired(t *turn, e *entry, at place) bool {
	c := e.offsets.get(at.topic, at.partition)
	if c == nil || len(e.offsets.open[at]) > 0 || e.group == nil || e.group.subscribedTo(at.topic) {
		return false
	}
	since, may := e.group.expiry(c.at.Time())
	switch {
	case !may:
		return false
	case c.expires >= 0:
		return !t.now.Before(c.expires.Time())
	}
	return t.now.Sub(since) >= m.cfg.OffsetsRetention
}
