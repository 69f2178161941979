package cluster

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/varve-log/varve/kafka"
)

// Bounds of a state, held by changes and by the decoder.
const (
	TopicNameBytesMax   = 249
	PartitionsMax       = 200_000 // of one topic
	ConfigsMax          = 200     // settings of one resource
	GroupsConfiguredMax = 1000    // groups with settings of their own
	ConfigBytesMax      = 4096    // of one key and value
	ReplicasMax         = 64
)

// Change is one step from a state to the next. Apply never changes s; its error is the reason to
// refuse and wraps a sentinel of this package. Repeated on the same state it gives the same.
type Change interface {
	Apply(s *State) (*State, error)
}

// Apply folds changes in order; the first refusal is the result.
func Apply(s *State, changes ...Change) (*State, error) {
	var err error
	for _, c := range changes {
		if s, err = c.Apply(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

var (
	_ Change = CreateTopic{}
	_ Change = DeleteTopic{}
	_ Change = ForgetTopic{}
	_ Change = CreatePartitions{}
	_ Change = AlterConfigs{}
)

// CreateTopic makes a topic under a new id. Every partition starts in leader epoch 0, led by the
// first of its assigned replicas, all of them in sync.
//
// Errors: ErrTopicExists, ErrNameCollides, ErrInvalid, ErrUnknownAgent.
type CreateTopic struct {
	ID        kafka.TopicID
	Name      string
	CreatedAt kafka.Timestamp
	Configs   map[string]string
	// Assignments is indexed by partition: the replicas, the preferred leader first.
	Assignments [][]int32
}

// Apply implements Change.
func (c CreateTopic) Apply(s *State) (*State, error) {
	if _, ok := s.names[c.Name]; ok {
		return nil, fmt.Errorf("create topic %q: %w", c.Name, ErrTopicExists)
	}
	if other, ok := s.collidingName(c.Name); ok {
		return nil, fmt.Errorf("create topic %q: %w with topic %q", c.Name, ErrNameCollides, other)
	}
	_, live := s.topics[c.ID]
	_, dead := s.deleted[c.ID]
	if live || dead || c.ID.IsZero() {
		return nil, fmt.Errorf("create topic %q: %w: id %s is taken", c.Name, ErrInvalid, c.ID)
	}
	t := &Topic{ID: c.ID, Name: c.Name, CreatedAt: c.CreatedAt, Configs: maps.Clone(c.Configs)}
	if err := t.addPartitions(s, c.Assignments); err != nil {
		return nil, fmt.Errorf("create topic %q: %w", c.Name, err)
	}
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("create topic %q: %w", c.Name, err)
	}
	n := s.clone()
	n.setTopic(t)
	return n, nil
}

// collidingName finds a topic whose name is the same once '.' counts as '_', as Kafka refuses it.
func (s *State) collidingName(name string) (string, bool) {
	if !strings.ContainsAny(name, "._") {
		return "", false
	}
	plain := strings.ReplaceAll(name, ".", "_")
	for other := range s.names {
		if len(other) == len(name) && strings.ReplaceAll(other, ".", "_") == plain {
			return other, true
		}
	}
	return "", false
}

// DeleteTopic removes a topic; its objects wait for the sweep. ErrUnknownTopic.
type DeleteTopic struct {
	ID kafka.TopicID
	// At is by the store's clock.
	At kafka.Timestamp
}

// Apply implements Change.
func (c DeleteTopic) Apply(s *State) (*State, error) {
	t, ok := s.topics[c.ID]
	if !ok {
		return nil, fmt.Errorf("delete topic %s: %w", c.ID, ErrUnknownTopic)
	}
	n := s.clone()
	n.removeTopic(t)
	n.deleted[c.ID] = DeletedTopic{
		ID: t.ID, Name: t.Name, Partitions: int32(len(t.Partitions)), DeletedAt: c.At,
	}
	return n, nil
}

// ForgetTopic drops a deleted topic after the sweep of its last object.
type ForgetTopic struct{ ID kafka.TopicID }

// Apply implements Change. Forgetting twice is done already.
func (c ForgetTopic) Apply(s *State) (*State, error) {
	if _, ok := s.topics[c.ID]; ok {
		return nil, fmt.Errorf("forget topic %s: %w: it is not deleted", c.ID, ErrInvalid)
	}
	n := s.clone()
	delete(n.deleted, c.ID)
	return n, nil
}

// CreatePartitions adds partitions to a topic that has exactly Have of them, as many as there are
// Assignments. ErrUnknownTopic, ErrStale, ErrInvalid, ErrUnknownAgent.
type CreatePartitions struct {
	ID          kafka.TopicID
	Have        int32
	Assignments [][]int32
}

// Apply implements Change.
func (c CreatePartitions) Apply(s *State) (*State, error) {
	t, ok := s.topics[c.ID]
	if !ok {
		return nil, fmt.Errorf("add partitions to topic %s: %w", c.ID, ErrUnknownTopic)
	}
	if len(t.Partitions) != int(c.Have) {
		return nil, fmt.Errorf("add partitions to topic %q: %w: it has %d, not %d",
			t.Name, ErrStale, len(t.Partitions), c.Have)
	}
	nt := t.clone()
	if err := nt.addPartitions(s, c.Assignments); err != nil {
		return nil, fmt.Errorf("add partitions to topic %q: %w", t.Name, err)
	}
	n := s.clone()
	n.setTopic(nt)
	return n, nil
}

// AlterConfigs sets and removes settings of one resource: a topic, a group, an agent, or all agents.
// What the settings mean was checked by the caller. ErrUnknownTopic, ErrInvalid.
type AlterConfigs struct {
	// Topic, unless zero, names the resource; else Group, unless empty; else AllAgents, else Agent.
	Topic     kafka.TopicID
	Group     string
	AllAgents bool
	Agent     int32
	Set       map[string]string
	Delete    []string
}

// Apply implements Change.
func (c AlterConfigs) Apply(s *State) (*State, error) {
	n := s.clone()
	var err error
	switch {
	case !c.Topic.IsZero():
		t, ok := s.topics[c.Topic]
		if !ok {
			return nil, fmt.Errorf("alter settings of topic %s: %w", c.Topic, ErrUnknownTopic)
		}
		nt := t.clone()
		nt.Configs, err = c.altered(t.Configs)
		n.setTopic(nt)
	case c.Group != "":
		err = n.alterGroup(c)
	case c.AllAgents:
		n.defaults, err = c.altered(s.defaults)
	default:
		var m map[string]string
		m, err = c.altered(s.agentConfigs[c.Agent])
		n.agentConfigs[c.Agent] = m
		if len(m) == 0 {
			delete(n.agentConfigs, c.Agent)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("alter settings: %w", err)
	}
	return n, nil
}

// alterGroup changes the settings of a group of a state that is being made.
func (s *State) alterGroup(c AlterConfigs) error {
	m, err := c.altered(s.groupConfigs[c.Group])
	if err != nil {
		return err
	}
	all := maps.Clone(s.groupConfigs)
	all[c.Group] = m
	if len(m) == 0 {
		delete(all, c.Group)
	}
	if len(all) > GroupsConfiguredMax || len(c.Group) > TopicNameBytesMax*4 {
		return fmt.Errorf("%w: settings of %d groups, at most %d, named by %d bytes, at most %d",
			ErrInvalid, len(all), GroupsConfiguredMax, len(c.Group), TopicNameBytesMax*4)
	}
	s.groupConfigs = all
	return nil
}

func (c AlterConfigs) altered(old map[string]string) (map[string]string, error) {
	m := make(map[string]string, len(old)+len(c.Set))
	maps.Copy(m, old)
	maps.Copy(m, c.Set)
	for _, k := range c.Delete {
		delete(m, k)
	}
	return m, validateConfigs(m)
}

func validateConfigs(m map[string]string) error {
	if len(m) > ConfigsMax {
		return fmt.Errorf("%w: %d settings, at most %d", ErrInvalid, len(m), ConfigsMax)
	}
	for k, v := range m {
		if k == "" || len(k)+len(v) > ConfigBytesMax {
			return fmt.Errorf("%w: setting %.40q has %d bytes, at most %d",
				ErrInvalid, k, len(k)+len(v), ConfigBytesMax)
		}
	}
	return nil
}

func (t *Topic) clone() *Topic {
	n := *t
	n.Partitions = slices.Clone(t.Partitions)
	return &n
}

func (t *Topic) validate() error {
	switch {
	case t.ID.IsZero():
		return fmt.Errorf("%w: topic without an id", ErrInvalid)
	case t.Name == "" || len(t.Name) > TopicNameBytesMax:
		return fmt.Errorf("%w: topic name of %d bytes", ErrInvalid, len(t.Name))
	case len(t.Partitions) < 1 || len(t.Partitions) > PartitionsMax:
		return fmt.Errorf("%w: %d partitions, 1 to %d are possible", ErrInvalid, len(t.Partitions),
			PartitionsMax)
	}
	return validateConfigs(t.Configs)
}

func (t *Topic) addPartitions(s *State, assignments [][]int32) error {
	if len(assignments) == 0 || len(t.Partitions)+len(assignments) > PartitionsMax {
		return fmt.Errorf("%w: %d and %d more partitions, 1 to %d are possible",
			ErrInvalid, len(t.Partitions), len(assignments), PartitionsMax)
	}
	for i, replicas := range assignments {
		if len(replicas) == 0 || len(replicas) > ReplicasMax {
			return fmt.Errorf("%w: %d replicas for partition %d", ErrInvalid, len(replicas), i)
		}
		for j, id := range replicas {
			if _, ok := s.agents[id]; !ok {
				return fmt.Errorf("assign a replica: %w %d", ErrUnknownAgent, id)
			}
			if slices.Contains(replicas[:j], id) {
				return fmt.Errorf("%w: agent %d is assigned twice", ErrInvalid, id)
			}
		}
		t.Partitions = append(t.Partitions, Partition{
			Leader: replicas[0], LastLeader: replicas[0], ISR: slices.Clone(replicas),
			Assigned: slices.Clone(replicas),
		})
	}
	return nil
}

// setTopic is for a clone that is not shared yet.
func (s *State) setTopic(t *Topic) {
	if old, ok := s.topics[t.ID]; ok && old.Name != t.Name {
		delete(s.names, old.Name)
	}
	s.topics[t.ID] = t
	s.names[t.Name] = t.ID
}

func (s *State) removeTopic(t *Topic) {
	delete(s.topics, t.ID)
	if s.names[t.Name] == t.ID {
		delete(s.names, t.Name)
	}
}
