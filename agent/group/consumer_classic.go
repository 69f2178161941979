package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/agent/group/reconcile"
)

// Members that speak the classic protocol take part in a consumer group: a join is their heartbeat that
// says what they own, a sync fetches what they were assigned, and a heartbeat only tells them to join
// again. Their generation is their member epoch.

// joinConsumer takes such a member in, or one step nearer to the target.
func (m *Machine) joinConsumer(t *turn, to coordinator.Token, g *consumerGroup, q JoinRequest) {
	isNew := q.MemberID == ""
	if isNew {
		q.MemberID = m.newID()
	}
	said, err := g.mayJoin(&q)
	if err != nil {
		t.Refuse(to, err)
		return
	}
	if isNew && q.RequireMemberID && q.InstanceID == nil {
		t.Refuse(to, &MemberIDRequired{MemberID: q.MemberID})
		return
	}
	member, replaces, err := g.joining(&q, isNew)
	if err != nil {
		t.Refuse(to, err)
		return
	}
	updated := member.joined(&q, said)
	if err := g.check(member, updated); err != nil {
		t.Refuse(to, err)
		return
	}
	old := g.members[g.static[updated.instance]]
	downgrades := old != nil && old.classic == nil && g.classic == len(g.members)-1 &&
		m.mayDowngrade(len(g.members))
	if replaces != "" {
		g.replace(t, replaces, member)
	}
	resubscribed := g.update(t, member, updated, false)
	after := g.members[updated.id]
	stale := g.targetEpoch < g.epoch
	if !downgrades {
		g.retarget(t)
	}
	if !downgrades || !stale {
		owned := owns(m.topics.Image(), said)
		if after, err = g.reconcile(t, updated.id, owned, resubscribed); err != nil {
			t.Refuse(to, err)
			return
		}
	}
	t.Answer(to, JoinResponse{
		Generation: after.epoch(), ProtocolType: new(consumerProtocol), MemberID: after.id,
		ProtocolName: &after.classic.protocols[0].Name,
	})
	if downgrades {
		m.downgrade(t, g, nil, stale)
		return
	}
	ts := g.timersOf(after.id)
	m.timers.stop(&ts.join)
	m.timers.set(&ts.session, t.now.Add(q.SessionTimeout))
	m.timers.set(&ts.sync, t.now.Add(max(q.RebalanceTimeout, 0)))
}

// mayJoin refuses who cannot take part, and reads what the member says in the protocol it likes best.
func (g *consumerGroup) mayJoin(q *JoinRequest) (*kmsg.ConsumerMemberMetadata, error) {
	cfg := &g.m.cfg.Consumer
	known := slices.ContainsFunc(q.Protocols, func(p Protocol) bool {
		return g.protocols[p.Name] == g.classic
	})
	switch {
	case cfg.Migration == MigrateDisabled:
		return nil, ErrInconsistentProtocol
	case len(g.members) >= cfg.MembersMax && g.members[q.MemberID] == nil:
		return nil, ErrGroupMaxSize
	case q.ProtocolType != consumerProtocol || !known:
		return nil, ErrInconsistentProtocol
	}
	said := readSubscription(q.Protocols[0].Metadata)
	if said == nil {
		return nil, ErrInconsistentProtocol
	}
	return said, nil
}

// joining finds the member that joins, or makes it; a new static member replaces who has its instance
// id, whatever protocol that one speaks.
func (g *consumerGroup) joining(
	q *JoinRequest, isNew bool,
) (member *consumerMember, replaces string, err error) {
	if q.InstanceID == nil {
		return g.known(q.MemberID), "", nil
	}
	if !isNew {
		member, err = g.member(q.MemberID, q.InstanceID)
		return member, "", err
	}
	if old := g.members[g.static[*q.InstanceID]]; old != nil {
		return old.renamed(q.MemberID), old.id, nil
	}
	return g.known(q.MemberID), "", nil
}

// joined is the member with what its join says.
func (c *consumerMember) joined(q *JoinRequest, said *kmsg.ConsumerMemberMetadata) *consumerMember {
	u := *c
	if q.InstanceID != nil {
		u.instance = *q.InstanceID
	}
	if deref(said.Rack) != "" {
		u.rack = *said.Rack
	}
	if q.RebalanceTimeout >= 0 {
		u.rebalance = q.RebalanceTimeout
	}
	u.topics = namesOf(said)
	u.regex = ""
	u.client = q.Client
	u.classic = &classicSide{session: q.SessionTimeout, protocols: q.Protocols}
	return &u
}

// namesOf are the topics of a subscription, ascending.
func namesOf(said *kmsg.ConsumerMemberMetadata) []string {
	topics := slices.Clone(said.Topics)
	slices.Sort(topics)
	return slices.Compact(topics)
}

// readSubscription reads what a consumer says in the classic protocol; nil: it cannot be read.
func readSubscription(metadata []byte) *kmsg.ConsumerMemberMetadata {
	said := kmsg.NewConsumerMemberMetadata()
	if err := said.ReadFrom(metadata); err != nil {
		return nil
	}
	return &said
}

// owns is what a subscription says that its member reads now.
func owns(image Image, said *kmsg.ConsumerMemberMetadata) assignor.Assignment {
	a := assignor.Assignment{}
	for _, owned := range said.OwnedPartitions {
		if topic, ok := image.ByName(owned.Topic); ok && len(owned.Partitions) > 0 {
			a[topic.ID] = append(a[topic.ID], owned.Partitions...)
		}
	}
	return a
}

func (m *Machine) syncConsumer(t *turn, to coordinator.Token, g *consumerGroup, q SyncRequest) {
	c, err := g.classicMember(q.MemberID, q.InstanceID, q.Generation)
	if err != nil {
		t.Refuse(to, err)
		return
	}
	protocol := c.classic.protocols[0]
	switch {
	case differs(q.ProtocolType, new(consumerProtocol)), differs(q.ProtocolName, &protocol.Name):
		t.Refuse(to, ErrInconsistentProtocol)
		return
	case g.targetEpoch > c.epoch() && c.reconciled.State != reconcile.Unrevoked:
		// A member that has to revoke was told so by this epoch's join, and joins again by itself.
		g.awaitJoin(t, c)
		t.Refuse(to, ErrRebalancing)
		return
	}
	ts := g.timersOf(c.id)
	m.timers.stop(&ts.sync)
	m.timers.set(&ts.session, t.now.Add(c.classic.session))
	t.Answer(to, SyncResponse{
		ProtocolType: q.ProtocolType, ProtocolName: q.ProtocolName,
		Assignment: writeAssignment(m.topics.Image(), partitionsOf(c.reconciled.Assigned), protocol.Metadata),
	})
}

// classicMember finds a member that speaks the classic protocol, in its generation.
func (g *consumerGroup) classicMember(
	id string, instance *string, generation int32,
) (*consumerMember, error) {
	c, err := g.member(id, instance)
	switch {
	case err != nil:
		return nil, err
	case c.classic == nil || len(c.classic.protocols) == 0:
		return nil, ErrUnknownMember
	case c.epoch() != generation:
		return nil, ErrIllegalGeneration
	}
	return c, nil
}

// awaitJoin gives a member until its rebalance timeout to join again.
func (g *consumerGroup) awaitJoin(t *turn, c *consumerMember) {
	if ts := g.timersOf(c.id); ts.join.due.IsZero() {
		g.m.timers.set(&ts.join, t.now.Add(max(c.rebalance, 0)))
	}
}

// writeAssignment writes partitions as a consumer of the classic protocol reads them, in the version in
// which it subscribed. Topics that are gone are left out.
func writeAssignment(image Image, a assignor.Assignment, subscription []byte) []byte {
	w := kmsg.NewConsumerMemberAssignment()
	if said := readSubscription(subscription); said != nil {
		w.Version = said.Version
	}
	for _, topic := range named(image, a) {
		w.Topics = append(w.Topics, kmsg.ConsumerMemberAssignmentTopic{
			Topic: topic.Name, Partitions: topic.Partitions,
		})
	}
	return w.AppendTo(nil)
}

func (m *Machine) heartbeatConsumer(
	t *turn, to coordinator.Token, g *consumerGroup, q HeartbeatRequest,
) {
	c, err := g.classicMember(q.MemberID, q.InstanceID, q.Generation)
	if err != nil {
		t.Refuse(to, err)
		return
	}
	m.timers.set(&g.timersOf(c.id).session, t.now.Add(c.classic.session))
	state := c.reconciled.State
	if c.epoch() < g.targetEpoch || state == reconcile.Unrevoked ||
		state == reconcile.Unreleased && !g.waits(c) {
		g.awaitJoin(t, c)
		t.Refuse(to, ErrRebalancing)
		return
	}
	t.Answer(to, nil)
}

// waits reports whether others still hold what a member is to have.
func (g *consumerGroup) waits(c *consumerMember) bool {
	for topic, partitions := range g.target[c.id] {
		for _, p := range partitions {
			if !c.reconciled.Assigned.Has(topic, p) && g.isHeld(topic, p) {
				return true
			}
		}
	}
	return false
}

func (m *Machine) leaveConsumer(t *turn, to coordinator.Token, g *consumerGroup, q LeaveRequest) {
	var gone []*consumerMember
	for i := range q.Members {
		l := &q.Members[i]
		id := l.MemberID
		if id == "" && l.InstanceID != nil {
			id = g.static[*l.InstanceID] // as an administrator names it
		}
		c, err := g.member(id, l.InstanceID)
		if l.Err = err; err == nil && !slices.Contains(gone, c) {
			gone = append(gone, c)
		}
	}
	m.fenceMembers(t, g, gone)
	t.Answer(to, q.leaving())
}
