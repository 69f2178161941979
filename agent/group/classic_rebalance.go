package group

import "time"

// A rebalance is made of two phases. In PreparingRebalance the members join; it ends when all have, or
// when the longest rebalance timeout of a member is over, and begins a generation. In
// CompletingRebalance the leader assigns and everybody syncs.

// rebalanceOrComplete starts a rebalance, or goes on with the one that is under way.
func (m *Machine) rebalanceOrComplete(t *turn, g *classicGroup) {
	if g.now == statePreparing {
		m.completeLater(t, g)
		return
	}
	m.prepareRebalance(t, g)
}

// completeLater ends the first phase if everybody has joined. The initial rebalance of a group has a
// delay of its own.
func (m *Machine) completeLater(t *turn, g *classicGroup) {
	if g.before != stateEmpty {
		m.completeIfAllJoined(t, g)
	}
}

// completeIfAllJoined ends the first phase if everybody has joined.
func (m *Machine) completeIfAllJoined(t *turn, g *classicGroup) {
	if g.now == statePreparing && g.allJoined() {
		m.completeJoin(t, g)
	}
}

func (g *classicGroup) allJoined() bool {
	return g.awaitingJoin == len(g.members) && len(g.joining) == 0
}

// prepareRebalance begins the first phase.
func (m *Machine) prepareRebalance(t *turn, g *classicGroup) {
	if g.now == stateCompleting {
		m.propagate(t, g, nil, ErrRebalancing)
	}
	m.timers.stop(&g.sync)
	clear(g.awaitingSync)
	initial := g.now == stateEmpty
	g.enter(t, statePreparing)
	switch {
	case initial:
		g.delay = m.cfg.InitialRebalanceDelay
		g.left = max(g.rebalanceTimeout()-g.delay, 0)
		g.initial = true
		m.timers.set(&g.rebalance, t.now.Add(g.delay))
	case g.allJoined():
		m.completeJoin(t, g)
	default:
		m.timers.set(&g.rebalance, t.now.Add(g.rebalanceTimeout()))
	}
}

// rebalanceDue ends the first phase, or gives the initial rebalance more time as long as members come.
func (m *Machine) rebalanceDue(t *turn, g *classicGroup) {
	if !g.initial || !g.newMemberAdded || g.left == 0 {
		m.completeJoin(t, g)
		return
	}
	g.newMemberAdded = false
	delay := min(m.cfg.InitialRebalanceDelay, g.left)
	g.left = max(g.left-g.delay, 0)
	g.delay = delay
	m.timers.set(&g.rebalance, t.now.Add(delay))
}

// completeJoin ends the first phase: a generation of those who have joined, and of static members, who
// may come until their sessions end.
func (m *Machine) completeJoin(t *turn, g *classicGroup) {
	m.timers.stop(&g.rebalance)
	g.initial, g.newMemberAdded = false, false
	for _, mem := range append([]*classicMember(nil), g.order...) {
		if !mem.join.waiting && mem.instance == nil {
			g.remove(mem.id)
		}
	}
	if len(g.order) > 0 && !g.electLeader() {
		// Only static members are left, and none has joined: wait for one, or for their sessions.
		m.timers.set(&g.rebalance, t.now.Add(max(g.rebalanceTimeout(), rejoinPauseMin)))
		return
	}
	g.generation++
	clear(g.awaitingSync)
	g.protocolName = nil
	if len(g.order) == 0 {
		g.learnSubscriptions()
		g.enter(t, stateEmpty)
		t.Records = append(t.Records, classicRecord(g))
		return
	}
	g.protocolName = g.vote()
	g.learnSubscriptions()
	g.enter(t, stateCompleting)
	g.awaitingSync = make(map[string]bool, len(g.order))
	for _, mem := range g.order {
		g.answerJoin(t, mem, g.joined(mem))
		m.keepSession(t, mem)
		mem.isNew = false
		g.awaitingSync[mem.id] = true
	}
	m.timers.set(&g.sync, t.now.Add(g.rebalanceTimeout()))
}

// rejoinPauseMin is how often a group whose members ask for no time at all is looked at (V10).
const rejoinPauseMin = time.Second

// electLeader makes sure that the leader has joined; false: nobody has.
func (g *classicGroup) electLeader() bool {
	if mem := g.members[g.leader]; mem != nil && mem.join.waiting {
		return true
	}
	for _, mem := range g.order {
		if mem.join.waiting {
			g.leader = mem.id
			return true
		}
	}
	return false
}

// syncDue removes members that did not sync in time.
func (m *Machine) syncDue(t *turn, g *classicGroup) {
	if g.now != stateCompleting && g.now != stateStable || len(g.awaitingSync) == 0 {
		return
	}
	for _, id := range g.unsynced() {
		g.remove(id)
	}
	m.prepareRebalance(t, g)
}

// sessionDue removes a member that was not heard of, unless it waits for an answer: then it is we who
// are late.
func (m *Machine) sessionDue(t *turn, g *classicGroup, mem *classicMember) {
	if !mem.isNew && (mem.join.waiting || mem.syncs.waiting) {
		return
	}
	m.removeMember(t, g, mem)
	switch g.now {
	case stateStable, stateCompleting:
		m.prepareRebalance(t, g)
	case statePreparing:
		m.completeIfAllJoined(t, g)
	}
}

// removeMember takes a member out and answers what it waits for.
func (m *Machine) removeMember(t *turn, g *classicGroup, mem *classicMember) {
	g.refuseJoin(t, mem, ErrUnknownMember)
	mem.syncs.refuse(t, ErrUnknownMember)
	g.remove(mem.id)
}

// keepSession notes that a member was heard of.
func (m *Machine) keepSession(t *turn, mem *classicMember) {
	m.timers.set(&mem.session, t.now.Add(mem.sessionTimeout))
}

// propagate answers the members that wait for their assignment, with an error or with what the leader
// assigned.
func (m *Machine) propagate(
	t *turn, g *classicGroup, assignments map[string][]byte, err error,
) {
	for _, mem := range g.order {
		mem.assignment = assignments[mem.id]
		if mem.assignment == nil {
			mem.assignment = []byte{}
		}
		if !mem.syncs.waiting {
			continue
		}
		if err != nil {
			mem.syncs.refuse(t, err)
		} else {
			t.Answer(mem.syncs.to, g.assigned(mem))
			mem.syncs = waiter{}
		}
		m.keepSession(t, mem)
	}
}
