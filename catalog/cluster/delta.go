package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// Delta is what one commit changed. Applied to the state of version From it gives the state of To.
type Delta struct {
	// From is the Changed of the state before, To that of the state after.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// ProducerIDNext after the change.
	ProducerIDNext kafka.ProducerID `json:"producer_id_next"`
	// Defaults, when set, are all the settings given for all agents after the change.
	Defaults *map[string]string `json:"defaults,omitempty"`
	// AgentConfigs are all settings of the agents whose settings changed; empty: none any more.
	AgentConfigs map[int32]map[string]string `json:"agent_configs,omitempty"`
	// GroupConfigs are all settings of the groups whose settings changed; empty: none any more.
	GroupConfigs map[string]map[string]string `json:"group_configs,omitempty"`
	Agents       []Agent                      `json:"agents,omitempty"`
	AgentsGone   []int32                      `json:"agents_gone,omitempty"`
	Topics       []TopicDelta                 `json:"topics,omitempty"`
	TopicsGone   []kafka.TopicID              `json:"topics_gone,omitempty"`
	Deleted      []DeletedTopic               `json:"deleted,omitempty"`
	// DeletedGone are deleted topics that were swept.
	DeletedGone []kafka.TopicID `json:"deleted_gone,omitempty"`
}

// TopicDelta is what changed in a topic, or all of a new one.
type TopicDelta struct {
	ID kafka.TopicID `json:"id"`
	// Name is set when the topic is new.
	Name      string          `json:"name,omitempty"`
	CreatedAt kafka.Timestamp `json:"created_at,omitempty"`
	// Configs, when set, are all its settings after the change.
	Configs *map[string]string `json:"configs,omitempty"`
	// Partitions that are new or changed, ascending.
	Partitions []PartitionDelta `json:"partitions,omitempty"`
}

// PartitionDelta is a partition after the change.
type PartitionDelta struct {
	Partition int32     `json:"p"`
	State     Partition `json:"s"`
}

// Diff gives the delta from prev to next, whose version becomes `to`. False when nothing changed.
// It relies on states sharing what did not change, so it costs one comparison per topic.
func Diff(prev, next *State, to int64) (Delta, bool) {
	d := Delta{From: prev.Changed, To: to, ProducerIDNext: next.ProducerIDNext}
	changed := prev.ProducerIDNext != next.ProducerIDNext
	if !maps.Equal(prev.defaults, next.defaults) {
		d.Defaults = &next.defaults
	}
	d.diffAgents(prev, next)
	d.diffGroups(prev, next)
	d.diffTopics(prev, next)
	for id, t := range next.deleted {
		if prev.deleted[id] != t {
			d.Deleted = append(d.Deleted, t)
		}
	}
	for id := range prev.deleted {
		if _, ok := next.deleted[id]; !ok {
			d.DeletedGone = append(d.DeletedGone, id)
		}
	}
	d.sort()
	changed = changed || d.Defaults != nil || len(d.AgentConfigs)+len(d.GroupConfigs)+len(d.Agents)+
		len(d.AgentsGone)+len(d.Topics)+len(d.TopicsGone)+len(d.Deleted)+len(d.DeletedGone) > 0
	return d, changed
}

func (d *Delta) diffAgents(prev, next *State) {
	for id, a := range next.agents {
		if prev.agents[id] != a {
			d.Agents = append(d.Agents, *a)
		}
	}
	for id := range prev.agents {
		if _, ok := next.agents[id]; !ok {
			d.AgentsGone = append(d.AgentsGone, id)
		}
	}
	set := func(id int32) {
		if d.AgentConfigs == nil {
			d.AgentConfigs = map[int32]map[string]string{}
		}
		d.AgentConfigs[id] = next.agentConfigs[id]
	}
	for id, m := range next.agentConfigs {
		if !maps.Equal(m, prev.agentConfigs[id]) {
			set(id)
		}
	}
	for id := range prev.agentConfigs {
		if _, ok := next.agentConfigs[id]; !ok {
			set(id)
		}
	}
}

func (d *Delta) diffGroups(prev, next *State) {
	set := func(group string) {
		if d.GroupConfigs == nil {
			d.GroupConfigs = map[string]map[string]string{}
		}
		d.GroupConfigs[group] = next.groupConfigs[group]
	}
	for group, m := range next.groupConfigs {
		if !maps.Equal(m, prev.groupConfigs[group]) {
			set(group)
		}
	}
	for group := range prev.groupConfigs {
		if _, ok := next.groupConfigs[group]; !ok {
			set(group)
		}
	}
}

func (d *Delta) diffTopics(prev, next *State) {
	for id, t := range next.topics {
		if old := prev.topics[id]; old != t {
			if td, changed := diffTopic(old, t); changed {
				d.Topics = append(d.Topics, td)
			}
		}
	}
	for id := range prev.topics {
		if _, ok := next.topics[id]; !ok {
			d.TopicsGone = append(d.TopicsGone, id)
		}
	}
}

// diffTopic compares two values of a topic; old is nil for a new one.
func diffTopic(old, t *Topic) (TopicDelta, bool) {
	d := TopicDelta{ID: t.ID}
	var before []Partition
	if old == nil {
		d.Name, d.CreatedAt = t.Name, t.CreatedAt
		old = &Topic{}
	}
	before = old.Partitions
	if !maps.Equal(old.Configs, t.Configs) {
		configs := t.Configs
		d.Configs = &configs
	}
	for i, p := range t.Partitions {
		if i >= len(before) || !before[i].equal(p) {
			d.Partitions = append(d.Partitions, PartitionDelta{Partition: int32(i), State: p})
		}
	}
	return d, d.Name != "" || d.Configs != nil || len(d.Partitions) > 0
}

func (p Partition) equal(q Partition) bool {
	return p.Leader == q.Leader && p.LeaderEpoch == q.LeaderEpoch &&
		p.PartitionEpoch == q.PartitionEpoch && p.LastLeader == q.LastLeader &&
		p.Losses == q.Losses && slices.Equal(p.ISR, q.ISR) && slices.Equal(p.ELR, q.ELR) &&
		slices.Equal(p.Assigned, q.Assigned)
}

// sort makes the same change the same bytes.
func (d *Delta) sort() {
	byID := func(a, b kafka.TopicID) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(d.Agents, func(a, b Agent) int { return cmp.Compare(a.ID, b.ID) })
	slices.Sort(d.AgentsGone)
	slices.SortFunc(d.Topics, func(a, b TopicDelta) int { return byID(a.ID, b.ID) })
	slices.SortFunc(d.TopicsGone, byID)
	slices.SortFunc(d.Deleted, func(a, b DeletedTopic) int { return byID(a.ID, b.ID) })
	slices.SortFunc(d.DeletedGone, byID)
}

// Advance applies a delta. One that the state holds already leaves it as it is; one that does not
// follow on the state is ErrCorrupt.
func (s *State) Advance(d Delta) (*State, error) {
	if d.To <= s.Changed {
		return s, nil
	}
	if d.From != s.Changed {
		return nil, fmt.Errorf("%w: delta %d-%d does not follow version %d",
			ErrCorrupt, d.From, d.To, s.Changed)
	}
	n := s.clone()
	n.Changed, n.Version, n.ProducerIDNext = d.To, max(d.To, s.Version), d.ProducerIDNext
	if d.Defaults != nil {
		n.defaults = *d.Defaults
	}
	for id, m := range d.AgentConfigs {
		n.agentConfigs[id] = m
		if len(m) == 0 {
			delete(n.agentConfigs, id)
		}
	}
	if len(d.GroupConfigs) > 0 {
		n.groupConfigs = maps.Clone(n.groupConfigs)
	}
	for group, m := range d.GroupConfigs {
		n.groupConfigs[group] = m
		if len(m) == 0 {
			delete(n.groupConfigs, group)
		}
	}
	for i := range d.Agents {
		if err := d.Agents[i].validate(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		n.agents[d.Agents[i].ID] = &d.Agents[i]
	}
	for _, id := range d.AgentsGone {
		delete(n.agents, id)
	}
	if err := n.advanceTopics(d); err != nil {
		return nil, err
	}
	return n, nil
}

func (s *State) advanceTopics(d Delta) error {
	for _, id := range d.TopicsGone {
		if t, ok := s.topics[id]; ok {
			s.removeTopic(t)
		}
	}
	for _, td := range d.Topics {
		t, err := td.apply(s.topics[td.ID])
		if err != nil {
			return err
		}
		if id, ok := s.names[t.Name]; ok && id != t.ID {
			return fmt.Errorf("%w: two topics are called %q", ErrCorrupt, t.Name)
		}
		s.setTopic(t)
	}
	for _, t := range d.Deleted {
		s.deleted[t.ID] = t
	}
	for _, id := range d.DeletedGone {
		delete(s.deleted, id)
	}
	return nil
}

func (td TopicDelta) apply(old *Topic) (*Topic, error) {
	t := &Topic{ID: td.ID, Name: td.Name, CreatedAt: td.CreatedAt}
	if old != nil {
		if td.Name != "" {
			return nil, fmt.Errorf("%w: topic %s is new a second time", ErrCorrupt, td.ID)
		}
		t = old.clone()
	}
	if td.Configs != nil {
		t.Configs = *td.Configs
	}
	for _, pd := range td.Partitions {
		if err := pd.State.validate(); err != nil {
			return nil, fmt.Errorf("%w: topic %q: %w", ErrCorrupt, t.Name, err)
		}
		switch n := int32(len(t.Partitions)); {
		case pd.Partition >= 0 && pd.Partition < n:
			t.Partitions[pd.Partition] = pd.State
		case pd.Partition == n:
			t.Partitions = append(t.Partitions, pd.State)
		default:
			return nil, fmt.Errorf("%w: partition %d of topic %q after %d",
				ErrCorrupt, pd.Partition, t.Name, n)
		}
	}
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return t, nil
}
