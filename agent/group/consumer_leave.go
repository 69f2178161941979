package group

import (
	"maps"

	"github.com/varve-log/varve/agent/group/reconcile"
)

// leaveMember ends a membership, or with EpochLeaveStatic suspends it until its session ends.
func (m *Machine) leaveMember(t *turn, q *ConsumerHeartbeatRequest) (ConsumerHeartbeatResponse, error) {
	answer := ConsumerHeartbeatResponse{MemberID: q.MemberID, MemberEpoch: q.MemberEpoch}
	g := m.consumer(q.Group, false)
	if g == nil {
		return answer, ErrGroupIDNotFound
	}
	c, err := g.member(q.MemberID, q.InstanceID)
	switch {
	case err != nil:
		return answer, err
	case q.InstanceID != nil && q.MemberEpoch == EpochLeaveStatic:
		m.write(t, currentRecord(g.id, c.id, c.suspended()))
	default:
		m.fenceMembers(t, g, []*consumerMember{c})
	}
	return answer, nil
}

// member finds a member and fences whoever used its instance id before.
func (g *consumerGroup) member(id string, instance *string) (*consumerMember, error) {
	if instance == nil {
		if c := g.members[id]; c != nil {
			return c, nil
		}
		return nil, ErrUnknownMember
	}
	c := g.members[g.static[*instance]]
	switch {
	case c == nil:
		return nil, ErrUnknownMember
	case c.id != id:
		return nil, ErrFencedInstance
	}
	return c, nil
}

// suspended is where a static member is that left for a while: it keeps its partitions, from epoch 0 on
// for whoever comes back.
func (c *consumerMember) suspended() reconcile.Member {
	r := c.reconciled
	r.Epoch, r.Revoking = EpochLeaveStatic, nil
	r.Assigned = make(reconcile.Epochs, len(c.reconciled.Assigned))
	for topic, partitions := range c.reconciled.Assigned {
		reset := maps.Clone(partitions)
		for p := range reset {
			reset[p] = 0
		}
		r.Assigned[topic] = reset
	}
	return r
}

// fenceMembers takes members out. If all who stay speak the classic protocol, the group becomes classic;
// else a new epoch begins.
func (m *Machine) fenceMembers(t *turn, g *consumerGroup, gone []*consumerMember) {
	if len(gone) == 0 {
		return
	}
	classic := g.classic
	for _, c := range gone {
		if c.classic != nil {
			classic--
		}
	}
	stay := len(g.members) - len(gone)
	if stay > 0 && classic == stay && m.mayDowngrade(stay) {
		m.downgrade(t, g, gone, true)
		return
	}
	for _, c := range gone {
		g.erase(t, c.id)
	}
	for _, regex := range sortedKeys(g.regexes) {
		if g.byRegex[regex] == 0 {
			m.write(t, consumerTombstone(keyRegex, g.id, regex))
		}
	}
	g.refresh(t, true)
}

// erase writes that a member is no more.
func (g *consumerGroup) erase(t *turn, id string) {
	g.m.write(t,
		consumerTombstone(keyCurrent, g.id, id),
		consumerTombstone(keyTarget, g.id, id),
		consumerTombstone(keyMember, g.id, id),
	)
}

// timersOf gives the deadlines of a member.
func (g *consumerGroup) timersOf(id string) *memberTimers {
	if ts := g.timers[id]; ts != nil {
		return ts
	}
	ts := &memberTimers{}
	fence := func(t *turn) {
		if c := g.members[id]; c != nil {
			g.m.fenceMembers(t, g, []*consumerMember{c})
		}
	}
	ts.session.fire, ts.join.fire, ts.sync.fire = fence, fence, fence
	ts.rebalance.fire = func(t *turn) {
		if c := g.members[id]; c != nil && c.epoch() == ts.revokingIn {
			fence(t)
		}
	}
	g.timers[id] = ts
	return ts
}

// watchRevocation gives a member that has to revoke until its rebalance timeout.
func (g *consumerGroup) watchRevocation(t *turn, c *consumerMember) {
	ts := g.timersOf(c.id)
	if c.reconciled.State != reconcile.Unrevoked {
		g.m.timers.stop(&ts.rebalance)
		return
	}
	ts.revokingIn = c.epoch()
	g.m.timers.set(&ts.rebalance, t.now.Add(max(c.rebalance, 0)))
}

// start sets the deadlines of a group that was loaded.
func (g *consumerGroup) start(t *turn) {
	timeout := g.m.cfg.Consumer.of(g.id).SessionTimeout
	for _, id := range sortedKeys(g.members) {
		c := g.members[id]
		g.m.timers.set(&g.timersOf(id).session, t.now.Add(timeout))
		if c.reconciled.State == reconcile.Unrevoked {
			g.watchRevocation(t, c)
		}
	}
}

func (g *consumerGroup) stop() {
	for id := range g.timers {
		g.stopTimers(id)
	}
}

func (g *consumerGroup) stopTimers(id string) {
	if ts := g.timers[id]; ts != nil {
		for _, x := range []*timer{&ts.session, &ts.rebalance, &ts.join, &ts.sync} {
			g.m.timers.stop(x)
		}
		delete(g.timers, id)
	}
}
