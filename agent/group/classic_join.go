package group

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Join makes a member of the next generation. Its answer may come later: when the members that are known
// have joined, or their time is over.
func (m *Machine) Join(now time.Time, to coordinator.Token, q JoinRequest) coordinator.Effects {
	t := &turn{now: now}
	switch {
	case q.Group == "":
		t.Refuse(to, ErrInvalidGroupID)
	case q.SessionTimeout < m.cfg.SessionTimeoutMin || q.SessionTimeout > m.cfg.SessionTimeoutMax:
		t.Refuse(to, ErrInvalidSessionTimeout)
	case protocolBytes(q.Protocols) > m.cfg.GroupBytesMax:
		t.Refuse(to, ErrRecordTooLarge)
	default:
		g, _ := m.lookup(q.Group)
		if consumers, ok := g.(*consumerGroup); ok && !consumers.empty() {
			m.joinConsumer(t, to, consumers, q)
		} else {
			m.joinClassic(t, to, q)
		}
	}
	return t.Effects
}

func (m *Machine) joinClassic(t *turn, to coordinator.Token, q JoinRequest) {
	g, err := m.classicForJoin(t, q)
	switch {
	case err != nil:
		t.Refuse(to, err)
	case !g.accepts(q.MemberID):
		m.expel(t, g, q.MemberID)
		t.Refuse(to, ErrGroupMaxSize)
	case !g.supports(q.ProtocolType, q.Protocols):
		t.Refuse(to, ErrInconsistentProtocol)
	case q.MemberID == "":
		m.joinNew(t, to, g, q)
	default:
		m.joinAgain(t, to, g, q)
	}
}

// classicForJoin finds the group to join. A new member makes it where it is not there, in place of a
// consumer group without members if need be.
func (m *Machine) classicForJoin(t *turn, q JoinRequest) (*classicGroup, error) {
	switch have, _ := m.lookup(q.Group); g := have.(type) {
	case *classicGroup:
		return g, nil
	case *consumerGroup:
		m.write(t, g.tombstones(nil)...)
		m.dropGroup(q.Group)
	}
	if q.MemberID != "" {
		return nil, ErrUnknownMember
	}
	g := newClassicGroup(m, q.Group)
	g.since = kafka.TimestampOf(t.now)
	m.setGroup(q.Group, g)
	t.Records = append(t.Records, classicRecord(g))
	return g, nil
}

// accepts reports whether there is room for a member. While the group rebalances those count that have
// joined, so that a group that has become too large sheds whoever comes last.
func (g *classicGroup) accepts(id string) bool {
	mem := g.members[id]
	switch g.now {
	case stateEmpty:
		return true
	case statePreparing:
		return mem != nil && mem.join.waiting || g.awaitingJoin < g.m.cfg.MembersMax
	}
	return mem != nil || len(g.members) < g.m.cfg.MembersMax
}

// expel removes a member for which there is no room.
func (m *Machine) expel(t *turn, g *classicGroup, id string) {
	if mem := g.members[id]; mem != nil {
		mem.syncs.refuse(t, ErrUnknownMember)
	}
	g.remove(id)
}

func (m *Machine) joinNew(t *turn, to coordinator.Token, g *classicGroup, q JoinRequest) {
	prefix := q.Client.ID
	if q.InstanceID != nil {
		prefix = *q.InstanceID
	}
	id := prefix + "-" + m.newID()
	switch {
	case q.InstanceID != nil && g.static[*q.InstanceID] != "":
		m.replaceStatic(t, to, g, q, id)
	case q.InstanceID != nil || !q.RequireMemberID:
		m.addMember(t, to, g, q, id)
	case len(g.joining) >= m.cfg.PendingMembersMax:
		t.Refuse(to, ErrGroupMaxSize)
	default:
		m.giveID(t, g, id, q.SessionTimeout)
		t.Refuse(to, &MemberIDRequired{MemberID: id})
	}
}

// giveID waits for a new member to join with its id.
func (m *Machine) giveID(t *turn, g *classicGroup, id string, session time.Duration) {
	if g.joining == nil {
		g.joining = make(map[string]*timer)
	}
	x := &timer{fire: func(t *turn) {
		g.remove(id)
		m.completeIfAllJoined(t, g)
	}}
	g.joining[id] = x
	m.timers.set(x, t.now.Add(session))
}

func (m *Machine) joinAgain(t *turn, to coordinator.Token, g *classicGroup, q JoinRequest) {
	if g.joining[q.MemberID] != nil {
		if q.InstanceID != nil {
			t.Refuse(to, ErrUnknownMember) // ids are given to dynamic members only
			return
		}
		m.addMember(t, to, g, q, q.MemberID)
		return
	}
	mem, err := g.member(q.MemberID, q.InstanceID)
	if err != nil {
		t.Refuse(to, err)
		return
	}
	leads := g.leader == mem.id
	switch {
	case g.now == stateEmpty:
		t.Refuse(to, ErrUnknownMember)
	case g.now == stateCompleting && mem.says(q.Protocols):
		// The answer to its join got lost: the generation is the same.
		t.Answer(to, g.joined(mem))
	case g.now == stateStable && mem.says(q.Protocols) && !leads:
		t.Answer(to, g.joined(mem))
	default:
		// Something changed, or the leader wants to assign anew.
		m.updateMember(t, to, g, mem, q)
		m.rebalanceOrComplete(t, g)
	}
}

// says reports whether a member's protocols are these.
func (mem *classicMember) says(protocols []Protocol) bool {
	return slices.EqualFunc(mem.protocols, protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// joined is the answer to a member's join in the current generation.
func (g *classicGroup) joined(mem *classicMember) JoinResponse {
	protocolType := g.protocol // its own: the answer outlives the turn
	r := JoinResponse{
		Generation: g.generation, ProtocolType: &protocolType, ProtocolName: g.protocolName,
		Leader: g.leader, MemberID: mem.id,
	}
	if g.leader == mem.id {
		r.Members = make([]JoinedMember, 0, len(g.order))
		for _, each := range g.order {
			r.Members = append(r.Members, JoinedMember{
				MemberID: each.id, InstanceID: each.instance, Metadata: each.metadata(g.protocolName),
			})
		}
	}
	return r
}

// addMember takes in a new member, whose join waits.
func (m *Machine) addMember(
	t *turn, to coordinator.Token, g *classicGroup, q JoinRequest, id string,
) {
	if g.bytes+protocolBytes(q.Protocols) > memoryFactor*m.cfg.GroupBytesMax {
		g.unpend(id)
		t.Refuse(to, ErrGroupMaxSize)
		return
	}
	mem := &classicMember{
		id: id, instance: q.InstanceID, client: q.Client, isNew: true,
		rebalanceTimeout: q.RebalanceTimeout, sessionTimeout: q.SessionTimeout,
		protocols: q.Protocols, join: waiter{to: to, waiting: true},
	}
	if g.now == statePreparing && g.before == stateEmpty {
		g.newMemberAdded = true
	}
	g.add(mem, q.ProtocolType)
	m.timers.set(&mem.session, t.now.Add(m.cfg.NewMemberJoinTimeout))
	m.rebalanceOrComplete(t, g)
}

// memoryFactor is how many times a group's record its members' metadata may take: a member names each
// protocol that it knows, and the record holds one of them.
const memoryFactor = 8

// updateMember takes in what a member says in a join, which waits.
func (m *Machine) updateMember(
	t *turn, to coordinator.Token, g *classicGroup, mem *classicMember, q JoinRequest,
) {
	g.count(mem, -1)
	mem.protocols = q.Protocols
	g.count(mem, 1)
	mem.rebalanceTimeout, mem.sessionTimeout = q.RebalanceTimeout, q.SessionTimeout
	if mem.join.waiting {
		t.Refuse(mem.join.to, ErrRebalancing) // the same member asked again
	} else {
		g.awaitingJoin++
	}
	mem.join = waiter{to: to, waiting: true}
}

// replaceStatic puts a static member that starts again in the place of its predecessor (KIP-345).
func (m *Machine) replaceStatic(
	t *turn, to coordinator.Token, g *classicGroup, q JoinRequest, id string,
) {
	mem := g.members[g.static[*q.InstanceID]]
	oldLeader := g.leader
	m.fence(t, g, mem, id)
	m.keepSession(t, mem)
	m.updateMember(t, to, g, mem, q)
	switch {
	case g.now == stateCompleting:
		// The leader may be assigning to the old id.
		m.prepareRebalance(t, g)
	case g.now != stateStable:
		m.completeLater(t, g)
	case deref(g.protocolName) != deref(g.vote()):
		m.rebalanceOrComplete(t, g)
	default:
		// Nobody else has to know: the member goes on with the assignment of its predecessor.
		t.Records = append(t.Records, classicRecord(g))
		r := g.joined(mem)
		r.SkipAssignment = q.SkipAssignment && g.leader == id
		if !q.SkipAssignment {
			// An older leader must not assign: it is told of its predecessor's id.
			r.Leader, r.Members = oldLeader, nil
		}
		g.answerJoin(t, mem, r)
	}
}

// fence gives a static member another id; whoever still asks with the old one is told so.
func (m *Machine) fence(t *turn, g *classicGroup, mem *classicMember, id string) {
	g.refuseJoin(t, mem, ErrFencedInstance)
	mem.syncs.refuse(t, ErrFencedInstance)
	delete(g.members, mem.id)
	if g.leader == mem.id {
		g.leader = id
	}
	if g.awaitingSync[mem.id] {
		delete(g.awaitingSync, mem.id)
		g.awaitingSync[id] = true
	}
	mem.id, mem.isNew = id, false
	g.members[id] = mem
	g.static[*mem.instance] = id
}

// answerJoin answers a member whose join waits.
func (g *classicGroup) answerJoin(t *turn, mem *classicMember, r JoinResponse) {
	if mem.join.waiting {
		t.Answer(mem.join.to, r)
		mem.join = waiter{}
		g.awaitingJoin--
	}
}

func (g *classicGroup) refuseJoin(t *turn, mem *classicMember, err error) {
	if mem.join.waiting {
		mem.join.refuse(t, err)
		g.awaitingJoin--
	}
}

// refuse answers a request that waits.
func (w *waiter) refuse(t *turn, err error) {
	if w.waiting {
		t.Refuse(w.to, err)
		*w = waiter{}
	}
}

// rebalanceTimeout is the longest of all members.
func (g *classicGroup) rebalanceTimeout() time.Duration {
	var longest time.Duration
	for _, mem := range g.order {
		longest = max(longest, mem.rebalanceTimeout)
	}
	return longest
}

// unsynced lists the members that have not synced in this generation, in order.
func (g *classicGroup) unsynced() []string { return slices.Sorted(maps.Keys(g.awaitingSync)) }
