package group

import (
	"slices"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/kafka"
)

// The states of a consumer group by Kafka's names, besides Empty and Stable.
const (
	stateAssigning   = "Assigning"
	stateReconciling = "Reconciling"
)

// consumerGroup is a group of the consumer protocol (KIP-848). Its epoch grows when what members
// subscribe to changes; the target is computed for an epoch; each member then moves to it.
type consumerGroup struct {
	m  *Machine
	id string

	epoch, targetEpoch int32
	targetAt           kafka.Timestamp // when the target was computed; 0: not known
	hash               int64           // of the topics subscribed to, when the epoch began
	members            map[string]*consumerMember
	static             map[string]string // member ids by instance id
	target             map[string]assignor.Assignment
	regexes            map[string]resolved
	oldTopics          bool // a record of Kafka before 4.1 is to be deleted

	// What follows from that.
	holders    map[kafka.TopicPartition]string
	subscribed map[string]subscribers
	byRegex    map[string]int // members that subscribe by a regular expression
	assignors  map[string]int // members that like an assignor
	classic    int            // members that speak the classic protocol
	protocols  map[string]int // and how many of them know one

	// What is not in the log.
	timers  map[string]*memberTimers
	hashed  int64           // the version of the image that hash was held against; -1: none
	matched int64           // the same of the regular expressions
	matchAt kafka.Timestamp // and when
}

// subscribers counts who subscribes to a topic: members by its name, and regular expressions.
type subscribers struct{ names, regexes int }

// resolved is what topics a regular expression matches, ascending, in a version of the image.
type resolved struct {
	topics  []string
	version int64
	at      kafka.Timestamp
}

var _ group = (*consumerGroup)(nil)

// newConsumerGroup is a group without members. Both epochs begin at 1.
func newConsumerGroup(m *Machine, id string) *consumerGroup {
	return &consumerGroup{
		m: m, id: id, epoch: 1, targetEpoch: 1, hashed: -1, matched: -1,
		members: map[string]*consumerMember{}, static: map[string]string{},
		target: map[string]assignor.Assignment{}, regexes: map[string]resolved{},
		holders: map[kafka.TopicPartition]string{}, subscribed: map[string]subscribers{},
		byRegex: map[string]int{}, assignors: map[string]int{}, protocols: map[string]int{},
		timers: map[string]*memberTimers{},
	}
}

func (g *consumerGroup) kind() Type              { return Consumer }
func (g *consumerGroup) protocolType() string    { return consumerProtocol }
func (g *consumerGroup) empty() bool             { return len(g.members) == 0 }
func (g *consumerGroup) mayDeleteOffsets() error { return nil }

func (g *consumerGroup) state() string {
	switch {
	case g.empty():
		return string(stateEmpty)
	case g.epoch > g.targetEpoch:
		return stateAssigning
	}
	for _, c := range g.members {
		if !c.reconciled.Reached(g.targetEpoch) {
			return stateReconciling
		}
	}
	return string(stateStable)
}

func (g *consumerGroup) subscribedTo(topic string) bool {
	_, subscribed := g.subscribed[topic]
	return subscribed
}

func (g *consumerGroup) mayDelete() error {
	if !g.empty() {
		return ErrGroupNotEmpty
	}
	return nil
}

func (g *consumerGroup) expiry(committed time.Time) (time.Time, bool) { return committed, true }

// mayCommit lets a member commit in its epoch; in an older one only partitions that it has since.
func (g *consumerGroup) mayCommit(
	c committer,
) (func(topic kafka.TopicID, partition int32) error, error) {
	switch {
	case c.generation < 0 && g.empty():
		return nil, nil
	case c.transactional && c.generation == -1 && c.memberID == "" && c.instanceID == nil:
		return nil, nil
	}
	member := g.members[c.memberID]
	if member == nil {
		return nil, ErrUnknownMember
	}
	if !c.transactional && member.classic == nil && c.version < 9 {
		return nil, ErrUnsupportedVersion
	}
	switch {
	case c.generation == member.epoch():
		return nil, nil
	case c.generation > member.epoch():
		return nil, member.stale()
	}
	return func(topic kafka.TopicID, partition int32) error {
		since, assigned := member.reconciled.Assigned[topic][partition]
		if !assigned {
			since, assigned = member.reconciled.Revoking[topic][partition]
		}
		if !assigned || c.generation < since {
			return member.stale()
		}
		return nil
	}, nil
}

// stale is how a member is told that it is in another epoch.
func (c *consumerMember) stale() error {
	if c.classic != nil {
		return ErrIllegalGeneration
	}
	return ErrStaleMemberEpoch
}

func (g *consumerGroup) mayFetch(memberID *string, epoch int32) error {
	if memberID == nil && epoch < 0 {
		return nil
	}
	member := g.members[deref(memberID)]
	switch {
	case member == nil:
		return ErrUnknownMember
	case member.epoch() != epoch:
		return member.stale()
	}
	return nil
}

// tombstones appends the records that end the group, members first: Kafka reads them in this order.
func (g *consumerGroup) tombstones(records []coordinator.Record) []coordinator.Record {
	ids := sortedKeys(g.members)
	for _, id := range ids {
		records = append(records, consumerTombstone(keyCurrent, g.id, id))
	}
	for _, id := range ids {
		records = append(records, consumerTombstone(keyTarget, g.id, id))
	}
	records = append(records, consumerTombstone(keyTargetEpoch, g.id))
	for _, id := range ids {
		records = append(records, consumerTombstone(keyMember, g.id, id))
	}
	for _, regex := range sortedKeys(g.regexes) {
		records = append(records, consumerTombstone(keyRegex, g.id, regex))
	}
	return append(records, consumerTombstone(keyOldTopics, g.id), consumerTombstone(keyEpoch, g.id))
}

// put takes in a member in place of what it was.
func (g *consumerGroup) put(c *consumerMember) {
	if old := g.members[c.id]; old != nil {
		g.count(old, -1)
		g.release(old)
	}
	g.members[c.id] = c
	g.count(c, 1)
	g.hold(c)
	if c.instance != "" {
		g.static[c.instance] = c.id
	}
}

// remove takes a member out.
func (g *consumerGroup) remove(id string) {
	c := g.members[id]
	if c == nil {
		return
	}
	delete(g.members, id)
	g.count(c, -1)
	g.release(c)
	if g.static[c.instance] == id {
		delete(g.static, c.instance)
	}
	g.stopTimers(id)
}

// hold notes that a member has partitions; release that it no longer has them, unless another took
// them over.
func (g *consumerGroup) hold(c *consumerMember) {
	for tp := range c.held {
		g.holders[tp] = c.id
	}
}

func (g *consumerGroup) release(c *consumerMember) {
	for tp := range c.held {
		if g.holders[tp] == c.id {
			delete(g.holders, tp)
		}
	}
}

// held yields what a member reads or has yet to give up.
func (c *consumerMember) held(yield func(kafka.TopicPartition) bool) {
	for topic, partitions := range c.reconciled.Assigned {
		for p := range partitions {
			if !yield(kafka.TopicPartition{Topic: topic, Partition: p}) {
				return
			}
		}
	}
	for topic, partitions := range c.reconciled.Revoking {
		for p := range partitions {
			if !yield(kafka.TopicPartition{Topic: topic, Partition: p}) {
				return
			}
		}
	}
}

// holds is what held yields.
func (c *consumerMember) holds() assignor.Assignment {
	a := assignor.Assignment{}
	for tp := range c.held {
		a[tp.Topic] = append(a[tp.Topic], tp.Partition)
	}
	for _, partitions := range a {
		slices.Sort(partitions)
	}
	return a
}

// count adds what a member counts for, by times 1 or -1.
func (g *consumerGroup) count(c *consumerMember, times int) {
	for _, topic := range c.topics {
		g.subscribe(topic, subscribers{names: times})
	}
	add(g.byRegex, c.regex, times)
	add(g.assignors, c.assignor, times)
	if c.classic != nil {
		g.classic += times
		for _, p := range c.classic.protocols {
			add(g.protocols, p.Name, times)
		}
	}
}

// add counts a name that is not empty.
func add(counts map[string]int, name string, times int) {
	if name == "" {
		return
	}
	if counts[name] += times; counts[name] == 0 {
		delete(counts, name)
	}
}

func (g *consumerGroup) subscribe(topic string, by subscribers) {
	s := g.subscribed[topic]
	s.names += by.names
	s.regexes += by.regexes
	if s == (subscribers{}) {
		delete(g.subscribed, topic)
		return
	}
	g.subscribed[topic] = s
}

// resolve takes in the topics of a regular expression; nil: it is gone.
func (g *consumerGroup) resolve(regex string, r *resolved) {
	for _, topic := range g.regexes[regex].topics {
		g.subscribe(topic, subscribers{regexes: -1})
	}
	delete(g.regexes, regex)
	if r == nil {
		return
	}
	g.regexes[regex] = *r
	for _, topic := range r.topics {
		g.subscribe(topic, subscribers{regexes: 1})
	}
}
