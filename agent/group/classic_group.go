package group

import (
	"maps"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// classicState is a state by Kafka's name.
type classicState string

const (
	stateEmpty      classicState = "Empty"
	statePreparing  classicState = "PreparingRebalance"
	stateCompleting classicState = "CompletingRebalance"
	stateStable     classicState = "Stable"
)

// consumerProtocol is the protocol type of consumers, whose metadata the coordinator can read.
const consumerProtocol = "consumer"

// classicGroup is a group of the classic protocol.
type classicGroup struct {
	m               *Machine
	id              string
	now, before     classicState
	since           kafka.Timestamp // of the state; NoTimestamp in old records
	protocol        string          // the protocol type; empty: none yet
	protocolName    *string         // what the members voted for
	generation      int32
	leader          string // empty: none
	members         map[string]*classicMember
	order           []*classicMember // as they came
	static          map[string]string
	joining         map[string]*timer // ids that were given out and not used yet (KIP-394)
	supported       map[string]int    // members that know a protocol
	awaitingJoin    int
	awaitingSync    map[string]bool // who has not synced in this generation
	subscribed      map[string]bool // topics; nil: not known
	bytes           int             // of all members' metadata
	initial         bool            // rebalances for the first time
	newMemberAdded  bool            // since the last delay began
	rebalance, sync timer
	delay, left     time.Duration // of the initial rebalance
}

var _ group = (*classicGroup)(nil)

// classicMember is a member of a classic group.
type classicMember struct {
	id               string
	instance         *string
	client           Client
	rebalanceTimeout time.Duration
	sessionTimeout   time.Duration
	protocols        []Protocol
	assignment       []byte
	isNew            bool // has not been answered its first join
	join, syncs      waiter
	session          timer
}

// waiter is a request that waits for its answer.
type waiter struct {
	to      coordinator.Token
	waiting bool
}

func newClassicGroup(m *Machine, id string) *classicGroup {
	g := &classicGroup{
		m: m, id: id, now: stateEmpty, since: kafka.NoTimestamp,
		members: make(map[string]*classicMember),
	}
	g.rebalance.fire = func(t *turn) { m.rebalanceDue(t, g) }
	g.sync.fire = func(t *turn) { m.syncDue(t, g) }
	return g
}

func (g *classicGroup) kind() Type           { return Classic }
func (g *classicGroup) state() string        { return string(g.now) }
func (g *classicGroup) protocolType() string { return g.protocol }
func (g *classicGroup) empty() bool          { return g.now == stateEmpty }

func (g *classicGroup) consumers() bool { return g.protocol == consumerProtocol }

// subscribedTo is also true of a consumer group whose subscriptions cannot be read.
func (g *classicGroup) subscribedTo(topic string) bool {
	if g.subscribed == nil {
		return g.consumers()
	}
	return g.subscribed[topic]
}

func (g *classicGroup) mayCommit(
	c committer,
) (func(topic kafka.TopicID, partition int32) error, error) {
	if c.generation < 0 && g.now == stateEmpty {
		return nil, nil
	}
	switch {
	case c.generation >= 0 || c.memberID != "" || c.instanceID != nil:
		if _, err := g.member(c.memberID, c.instanceID); err != nil {
			return nil, err
		}
		if c.generation != g.generation {
			return nil, ErrIllegalGeneration
		}
	case !c.transactional && g.now != stateEmpty:
		return nil, ErrUnknownMember
	}
	if !c.transactional && g.now == stateCompleting {
		return nil, ErrRebalancing // the member knows its generation but not its assignment
	}
	return nil, nil
}

func (g *classicGroup) mayFetch(*string, int32) error { return nil }

func (g *classicGroup) mayDeleteOffsets() error {
	if g.now != stateEmpty && !g.consumers() {
		return ErrGroupNotEmpty
	}
	return nil
}

func (g *classicGroup) mayDelete() error {
	if g.now != stateEmpty {
		return ErrGroupNotEmpty
	}
	return nil
}

func (g *classicGroup) expiry(committed time.Time) (time.Time, bool) {
	switch {
	case g.protocol == "": // offsets of consumers without membership
		return committed, true
	case g.now == stateEmpty && g.since != kafka.NoTimestamp:
		return g.since.Time(), true
	case g.now == stateEmpty:
		return committed, true
	}
	return committed, g.consumers() && g.subscribed != nil && g.now == stateStable
}

func (g *classicGroup) tombstones(records []coordinator.Record) []coordinator.Record {
	return append(records, classicTombstone(g.id))
}

func (g *classicGroup) start(t *turn) {
	for _, mem := range g.order {
		g.m.timers.set(&mem.session, t.now.Add(mem.sessionTimeout))
	}
}

func (g *classicGroup) stop() {
	g.m.timers.stop(&g.rebalance)
	g.m.timers.stop(&g.sync)
	for _, mem := range g.order {
		g.m.timers.stop(&mem.session)
	}
	for _, session := range g.joining {
		g.m.timers.stop(session)
	}
}

// member finds a member and fences whoever used its instance id before.
func (g *classicGroup) member(id string, instance *string) (*classicMember, error) {
	if instance != nil {
		switch have, ok := g.static[*instance]; {
		case !ok:
			return nil, ErrUnknownMember
		case have != id:
			return nil, ErrFencedInstance
		}
	}
	if mem := g.members[id]; mem != nil {
		return mem, nil
	}
	return nil, ErrUnknownMember
}

// add takes in a member; the first one leads.
func (g *classicGroup) add(mem *classicMember, protocolType string) {
	if len(g.members) == 0 {
		g.protocol = protocolType
	}
	if g.leader == "" {
		g.leader = mem.id
	}
	if mem.instance != nil {
		if g.static == nil {
			g.static = make(map[string]string)
		}
		g.static[*mem.instance] = mem.id
	}
	g.members[mem.id] = mem
	g.order = append(g.order, mem)
	g.count(mem, 1)
	if mem.join.waiting {
		g.awaitingJoin++
	}
	mem.session.fire = func(t *turn) { g.m.sessionDue(t, g, mem) }
	g.unpend(mem.id)
}

// remove takes a member out, or an id that was given out. The next member in order leads if the leader
// goes.
func (g *classicGroup) remove(id string) {
	if mem := g.members[id]; mem != nil {
		g.m.timers.stop(&mem.session)
		delete(g.members, id)
		g.order = slices.DeleteFunc(g.order, func(o *classicMember) bool { return o == mem })
		g.count(mem, -1)
		if mem.join.waiting {
			g.awaitingJoin--
		}
		if mem.instance != nil {
			delete(g.static, *mem.instance)
		}
	}
	if g.leader == id {
		g.leader = ""
		if len(g.order) > 0 {
			g.leader = g.order[0].id
		}
	}
	delete(g.awaitingSync, id)
	g.unpend(id)
}

// unpend forgets an id that was given out.
func (g *classicGroup) unpend(id string) {
	if session := g.joining[id]; session != nil {
		g.m.timers.stop(session)
		delete(g.joining, id)
	}
}

// count adds what a member supports and holds, by times 1 or -1.
func (g *classicGroup) count(mem *classicMember, times int) {
	if g.supported == nil {
		g.supported = make(map[string]int)
	}
	for name := range mem.names() {
		if g.supported[name] += times; g.supported[name] == 0 {
			delete(g.supported, name)
		}
	}
	g.bytes += times * protocolBytes(mem.protocols)
}

// names are the protocols that a member knows.
func (mem *classicMember) names() map[string]bool {
	names := make(map[string]bool, len(mem.protocols))
	for _, p := range mem.protocols {
		names[p.Name] = true
	}
	return names
}

// metadata is what a member says in a protocol.
func (mem *classicMember) metadata(protocol *string) []byte {
	for _, p := range mem.protocols {
		if protocol != nil && p.Name == *protocol {
			return p.Metadata
		}
	}
	return nil
}

func protocolBytes(protocols []Protocol) int {
	n := 0
	for _, p := range protocols {
		n += len(p.Name) + len(p.Metadata)
	}
	return n
}

// supports reports whether a member with these protocols could join.
func (g *classicGroup) supports(protocolType string, protocols []Protocol) bool {
	if g.now == stateEmpty {
		return protocolType != "" && len(protocols) > 0
	}
	return g.protocol == protocolType && slices.ContainsFunc(protocols, func(p Protocol) bool {
		return g.supported[p.Name] == len(g.members)
	})
}

// vote selects the protocol that most members like best of those that all know. Of equals the first by
// name wins.
func (g *classicGroup) vote() *string {
	votes := make(map[string]int)
	for _, mem := range g.order {
		for _, p := range mem.protocols {
			if g.supported[p.Name] == len(g.members) {
				votes[p.Name]++
				break
			}
		}
	}
	var best *string
	for _, name := range slices.Sorted(maps.Keys(votes)) {
		if best == nil || votes[name] > votes[*best] {
			best = &name
		}
	}
	return best
}

// enter changes the state.
func (g *classicGroup) enter(t *turn, s classicState) {
	g.before, g.now, g.since = g.now, s, kafka.TimestampOf(t.now)
}
