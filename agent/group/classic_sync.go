package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
)

// Sync gives a member its assignment, once the leader has brought it.
func (m *Machine) Sync(now time.Time, to coordinator.Token, q SyncRequest) coordinator.Effects {
	t := &turn{now: now}
	if q.Group == "" {
		t.Refuse(to, ErrInvalidGroupID)
		return t.Effects
	}
	have, err := m.lookup(q.Group)
	if err != nil || have.empty() {
		t.Refuse(to, ErrUnknownMember)
		return t.Effects
	}
	switch g := have.(type) {
	case *classicGroup:
		m.syncClassic(t, to, g, q)
	case *consumerGroup:
		m.syncConsumer(t, to, g, q)
	}
	return t.Effects
}

func (m *Machine) syncClassic(t *turn, to coordinator.Token, g *classicGroup, q SyncRequest) {
	mem, err := g.member(q.MemberID, q.InstanceID)
	switch {
	case err != nil:
		t.Refuse(to, err)
	case q.Generation != g.generation:
		t.Refuse(to, ErrIllegalGeneration)
	case differs(q.ProtocolType, &g.protocol), differs(q.ProtocolName, g.protocolName):
		t.Refuse(to, ErrInconsistentProtocol)
	case g.now == statePreparing:
		t.Refuse(to, ErrRebalancing)
	case g.now == stateCompleting:
		mem.syncs.refuse(t, ErrRebalancing) // the same member asked again
		mem.syncs = waiter{to: to, waiting: true}
		m.synced(g, mem)
		if g.leader == mem.id {
			m.assign(t, g, q.Assignments)
		}
	case g.now == stateStable:
		m.synced(g, mem)
		t.Answer(to, g.assigned(mem))
	}
}

// differs compares what a request says, if it says it, with what is.
func differs(said, is *string) bool { return said != nil && is != nil && *said != *is }

// synced notes that a member has synced in this generation.
func (m *Machine) synced(g *classicGroup, mem *classicMember) {
	delete(g.awaitingSync, mem.id)
	if len(g.awaitingSync) == 0 {
		m.timers.stop(&g.sync)
	}
}

// assign takes in what the leader assigned: the generation is stable and written.
func (m *Machine) assign(t *turn, g *classicGroup, assignments map[string][]byte) {
	size := 0
	for _, mem := range g.order {
		size += memberOverhead + len(mem.metadata(g.protocolName)) + len(assignments[mem.id])
	}
	if size > m.cfg.GroupBytesMax {
		m.propagate(t, g, nil, ErrRecordTooLarge)
		m.prepareRebalance(t, g)
		return
	}
	g.enter(t, stateStable)
	m.propagate(t, g, assignments, nil)
	t.Records = append(t.Records, classicRecord(g))
}

// memberOverhead is about what a member takes in a record besides metadata and assignment.
const memberOverhead = 128

// assigned is the answer to a member's sync.
func (g *classicGroup) assigned(mem *classicMember) SyncResponse {
	protocolType := g.protocol // its own: the answer outlives the turn
	return SyncResponse{
		ProtocolType: &protocolType, ProtocolName: g.protocolName, Assignment: mem.assignment,
	}
}
