package group

import (
	"slices"
	"strings"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
)

// List lists the groups that a request chooses, by id. It changes nothing.
func (m *Machine) List(q ListRequest) []Listed {
	var listed []Listed
	for _, id := range m.ids() {
		g := m.groups[id].group
		if g == nil || !chosen(q.States, g.state()) || !chosen(q.Types, string(g.kind())) {
			continue
		}
		listed = append(listed, Listed{
			Group: id, ProtocolType: g.protocolType(), State: g.state(), Type: g.kind(),
		})
	}
	return listed
}

func chosen(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(want string) bool {
		return strings.EqualFold(strings.TrimSpace(want), value)
	})
}

// Describe describes a classic group. The reply is a Described, or ErrGroupIDNotFound.
func (m *Machine) Describe(_ time.Time, to coordinator.Token, id string) coordinator.Effects {
	t := &turn{}
	have, _ := m.lookup(id)
	g, ok := have.(*classicGroup)
	if !ok {
		t.Refuse(to, m.otherType(id))
		return t.Effects
	}
	d := Described{Group: id, State: g.state(), ProtocolType: g.protocol}
	if g.now == stateStable {
		d.Protocol = deref(g.protocolName)
	}
	for _, mem := range g.order {
		w := DescribedMember{
			MemberID: mem.id, InstanceID: mem.instance, Client: mem.client, Assignment: mem.assignment,
		}
		if g.now == stateStable {
			w.Metadata = mem.metadata(g.protocolName)
		}
		d.Members = append(d.Members, w)
	}
	t.Answer(to, d)
	return t.Effects
}
