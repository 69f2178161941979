package group

import (
	"time"

	"github.com/varve-log/varve/agent/coordinator"
)

// Heartbeat keeps a member's session and tells it when to join again.
func (m *Machine) Heartbeat(
	now time.Time, to coordinator.Token, q HeartbeatRequest,
) coordinator.Effects {
	t := &turn{now: now}
	if q.Group == "" {
		t.Refuse(to, ErrInvalidGroupID)
		return t.Effects
	}
	switch have, _ := m.lookup(q.Group); g := have.(type) {
	case *classicGroup:
		m.heartbeatClassic(t, to, g, q)
	case *consumerGroup:
		m.heartbeatConsumer(t, to, g, q)
	default:
		t.Refuse(to, ErrUnknownMember)
	}
	return t.Effects
}

func (m *Machine) heartbeatClassic(
	t *turn, to coordinator.Token, g *classicGroup, q HeartbeatRequest,
) {
	mem, err := g.member(q.MemberID, q.InstanceID)
	switch {
	case err != nil:
		t.Refuse(to, err)
		return
	case q.Generation != g.generation:
		t.Refuse(to, ErrIllegalGeneration)
		return
	case g.now == statePreparing:
		t.Refuse(to, ErrRebalancing)
	default:
		t.Answer(to, nil)
	}
	m.keepSession(t, mem)
}

// Leave takes members out of a group. Their places are gone at once.
func (m *Machine) Leave(now time.Time, to coordinator.Token, q LeaveRequest) coordinator.Effects {
	t := &turn{now: now}
	if q.Group == "" {
		t.Refuse(to, ErrInvalidGroupID)
		return t.Effects
	}
	switch have, _ := m.lookup(q.Group); g := have.(type) {
	case *classicGroup:
		m.leaveClassic(t, to, g, q)
	case *consumerGroup:
		m.leaveConsumer(t, to, g, q)
	default:
		for i := range q.Members {
			q.Members[i].Err = ErrUnknownMember
		}
		t.Answer(to, q.leaving())
	}
	return t.Effects
}

func (q LeaveRequest) leaving() LeaveResponse { return LeaveResponse{Members: q.Members} }

func (m *Machine) leaveClassic(t *turn, to coordinator.Token, g *classicGroup, q LeaveRequest) {
	left := false
	for i := range q.Members {
		l := &q.Members[i]
		l.Err = m.leaveOne(t, g, l)
		left = left || l.Err == nil
	}
	t.Answer(to, q.leaving())
	if !left {
		return
	}
	switch g.now {
	case stateStable, stateCompleting:
		m.prepareRebalance(t, g)
	case statePreparing:
		m.completeLater(t, g)
	}
}

// leaveOne removes a member by its id, or by its instance id alone as an administrator does, or an id
// that was given out.
func (m *Machine) leaveOne(t *turn, g *classicGroup, l *Leaving) error {
	id := l.MemberID
	switch {
	case id == "" && l.InstanceID == nil:
		return ErrUnknownMember
	case id == "":
		id = g.static[*l.InstanceID]
	case g.joining[id] != nil:
		g.remove(id)
		return nil
	}
	mem, err := g.member(id, l.InstanceID)
	if err != nil {
		return err
	}
	m.removeMember(t, g, mem)
	return nil
}
