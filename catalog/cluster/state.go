package cluster

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/varve-log/varve/kafka"
)

// NoAgent says that no agent has a role, as -1 does on the wire.
const NoAgent int32 = -1

// ProducerIDBlock is how many producer ids an agent gets at once, as in Kafka.
const ProducerIDBlock = 1000

// State is the whole cluster state at one version of its head. It is immutable; the maps and slices
// that its methods give are shared and must not be changed.
type State struct {
	// ClusterID is 22 characters of URL-safe base64, as Kafka's.
	ClusterID string
	// Version is that of the head. A version may differ from the one before it in nothing but this.
	Version int64
	// Changed is the newest version that differed from the one before it in more than the number.
	Changed int64
	// ProducerIDNext is the lowest producer id that no block holds.
	ProducerIDNext kafka.ProducerID

	// defaults are the settings given for all agents, agentConfigs those of one.
	defaults     map[string]string
	agentConfigs map[int32]map[string]string
	// groupConfigs are the settings given for one group.
	groupConfigs map[string]map[string]string
	agents       map[int32]*Agent
	topics       map[kafka.TopicID]*Topic
	names        map[string]kafka.TopicID
	deleted      map[kafka.TopicID]DeletedTopic

	sortedOnce sync.Once
	sorted     []*Topic
}

// Agent is one registered agent. It is immutable.
type Agent struct {
	ID int32 `json:"id"`
	// DiskUUID names the data directory that holds the id.
	DiskUUID string `json:"disk"`
	// Incarnation rises with every registration of the id.
	Incarnation int64 `json:"incarnation"`
	// Advertised is where Kafka clients connect, Gossip and HTTP where agents do; host:port, the last
	// two may be empty.
	Advertised string   `json:"advertised"`
	Gossip     string   `json:"gossip,omitempty"`
	HTTP       string   `json:"http,omitempty"`
	Rack       string   `json:"rack,omitempty"`
	Roles      []string `json:"roles,omitempty"`
	// FormatMax is the highest body format of heads that the agent writes.
	FormatMax int `json:"format_max"`
	// RegisteredAt is when, by the agent's clock, for people.
	RegisteredAt kafka.Timestamp `json:"registered_at"`
	// CleanStop says that this incarnation flushed everything and ended in order.
	CleanStop bool `json:"clean_stop,omitempty"`
	// Fenced agents lead nothing and are shown to clients as offline.
	Fenced bool `json:"fenced,omitempty"`
	// ProducerIDs is the newest block of producer ids given to the agent: [Base, Next).
	ProducerIDs ProducerIDRange `json:"producer_ids"`
}

// ProducerIDRange is half-open: [Base, Next).
type ProducerIDRange struct {
	Base kafka.ProducerID `json:"base"`
	Next kafka.ProducerID `json:"next"`
}

// Topic is one incarnation of a topic. It is immutable.
type Topic struct {
	ID   kafka.TopicID
	Name string
	// CreatedAt is by the creating agent's clock, for people.
	CreatedAt kafka.Timestamp
	// Configs are the settings given for the topic.
	Configs map[string]string
	// Partitions is indexed by partition number.
	Partitions []Partition
}

// Partition is who leads and who follows. Leader is NoAgent when no one leads.
type Partition struct {
	Leader      int32             `json:"leader"`
	LeaderEpoch kafka.LeaderEpoch `json:"leader_epoch"`
	// PartitionEpoch rises with every change of the partition.
	PartitionEpoch int32 `json:"partition_epoch"`
	// LastLeader led last, where Leader is NoAgent.
	LastLeader int32   `json:"last_leader"`
	ISR        []int32 `json:"isr"`
	// ELR are the eligible leader replicas of KIP-966.
	ELR []int32 `json:"elr,omitempty"`
	// Assigned are the replicas, the preferred leader first.
	Assigned []int32 `json:"assigned"`
	// Losses counts elections after which records may be missing.
	Losses int32 `json:"losses,omitempty"`
}

// DeletedTopic is a topic whose objects are yet to be swept.
type DeletedTopic struct {
	ID         kafka.TopicID `json:"id"`
	Name       string        `json:"name"`
	Partitions int32         `json:"partitions"`
	// DeletedAt is by the store's clock.
	DeletedAt kafka.Timestamp `json:"deleted_at"`
}

// NewState is a cluster in which nothing happened yet.
func NewState(clusterID string) *State {
	return &State{
		ClusterID: clusterID, defaults: map[string]string{},
		agentConfigs: map[int32]map[string]string{}, groupConfigs: map[string]map[string]string{},
		agents: map[int32]*Agent{},
		topics: map[kafka.TopicID]*Topic{}, names: map[string]kafka.TopicID{},
		deleted: map[kafka.TopicID]DeletedTopic{},
	}
}

// clone copies the maps, not what they point to.
func (s *State) clone() *State {
	return &State{
		ClusterID: s.ClusterID, Version: s.Version, Changed: s.Changed,
		ProducerIDNext: s.ProducerIDNext, defaults: s.defaults, agentConfigs: maps.Clone(s.agentConfigs),
		groupConfigs: s.groupConfigs,
		agents:       maps.Clone(s.agents), topics: maps.Clone(s.topics), names: maps.Clone(s.names),
		deleted: maps.Clone(s.deleted),
	}
}

// AtVersion is the same state as of another version of the head.
func (s *State) AtVersion(v int64) *State {
	if s.Version == v {
		return s
	}
	return &State{
		ClusterID: s.ClusterID, Version: v, Changed: s.Changed, ProducerIDNext: s.ProducerIDNext,
		defaults: s.defaults, agentConfigs: s.agentConfigs, groupConfigs: s.groupConfigs,
		agents: s.agents, topics: s.topics,
		names:   s.names,
		deleted: s.deleted,
	}
}

// Agent finds an agent by id.
func (s *State) Agent(id int32) (*Agent, bool) {
	a, ok := s.agents[id]
	return a, ok
}

// AgentByDisk finds the agent that a data directory holds.
func (s *State) AgentByDisk(uuid string) (*Agent, bool) {
	for _, a := range s.agents {
		if a.DiskUUID == uuid {
			return a, true
		}
	}
	return nil, false
}

// Agents lists the agents by ascending id. The slice is the caller's.
func (s *State) Agents() []*Agent {
	byID := func(a, b *Agent) int { return cmp.Compare(a.ID, b.ID) }
	return slices.SortedFunc(maps.Values(s.agents), byID)
}

// Topic finds a topic by name.
func (s *State) Topic(name string) (*Topic, bool) {
	id, ok := s.names[name]
	if !ok {
		return nil, false
	}
	return s.TopicByID(id)
}

// TopicByID finds a topic by id.
func (s *State) TopicByID(id kafka.TopicID) (*Topic, bool) {
	t, ok := s.topics[id]
	return t, ok
}

// Topics lists all topics by name. The slice is shared.
func (s *State) Topics() []*Topic {
	s.sortedOnce.Do(func() {
		s.sorted = slices.SortedFunc(maps.Values(s.topics),
			func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
	})
	return s.sorted
}

// TopicCount is the number of topics.
func (s *State) TopicCount() int { return len(s.topics) }

// Partition finds a partition.
func (s *State) Partition(tp kafka.TopicPartition) (Partition, bool) {
	t, ok := s.topics[tp.Topic]
	if !ok || tp.Partition < 0 || int(tp.Partition) >= len(t.Partitions) {
		return Partition{}, false
	}
	return t.Partitions[tp.Partition], true
}

// Deleted finds a deleted topic that is not swept yet.
func (s *State) Deleted(id kafka.TopicID) (DeletedTopic, bool) {
	d, ok := s.deleted[id]
	return d, ok
}

// DeletedTopics lists the topics that are yet to be swept, oldest deletion first.
func (s *State) DeletedTopics() []DeletedTopic {
	return slices.SortedFunc(maps.Values(s.deleted), func(a, b DeletedTopic) int {
		return cmp.Or(cmp.Compare(a.DeletedAt, b.DeletedAt), slices.Compare(a.ID[:], b.ID[:]))
	})
}

// DefaultConfigs are the settings given for all agents. The map is shared.
func (s *State) DefaultConfigs() map[string]string { return s.defaults }

// AgentConfigs are the settings given for one agent. The map is shared; nil when there are none.
func (s *State) AgentConfigs(id int32) map[string]string { return s.agentConfigs[id] }

// GroupConfigs are the settings given for one group. The map is shared; nil when there are none.
func (s *State) GroupConfigs(group string) map[string]string { return s.groupConfigs[group] }

// GroupsConfigured lists the groups that have settings of their own, in order.
func (s *State) GroupsConfigured() []string { return slices.Sorted(maps.Keys(s.groupConfigs)) }
