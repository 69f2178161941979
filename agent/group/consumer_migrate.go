package group

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/agent/group/reconcile"
	"github.com/varve-log/varve/kafka"
)

// home is the group that a heartbeat is for, before anything is written.
type home struct {
	m     *Machine
	group *consumerGroup
	// classic is the group that it takes the place of, if any; isNew says that it is not in the machine.
	classic *classicGroup
	isNew   bool
}

// homeFor finds the group of a heartbeat. Who joins makes it, in place of a classic group without
// members, or of a classic group of consumers with all its members: an upgrade.
func (m *Machine) homeFor(q *ConsumerHeartbeatRequest) (*home, error) {
	h := &home{m: m}
	have, _ := m.lookup(q.Group)
	switch g := have.(type) {
	case *consumerGroup:
		h.group = g
	case *classicGroup:
		h.classic, h.isNew = g, true
	default:
		h.isNew = true
	}
	switch {
	case h.isNew && q.MemberEpoch != EpochJoin:
		return nil, ErrGroupIDNotFound
	case h.isNew && (h.classic == nil || h.classic.empty()):
		h.group = newConsumerGroup(m, q.Group)
	case h.isNew:
		g, err := m.upgraded(h.classic)
		if err != nil {
			return nil, err
		}
		h.group = g
	}
	if len(h.group.members) >= m.cfg.Consumer.MembersMax && h.group.members[q.MemberID] == nil {
		return nil, ErrGroupMaxSize
	}
	return h, nil
}

// settle writes what makes the group, if it is new, and gives it.
func (h *home) settle(t *turn) *consumerGroup {
	if !h.isNew {
		return h.group
	}
	if h.classic != nil {
		for _, mem := range h.classic.order {
			h.classic.refuseJoin(t, mem, ErrRebalancing)
			mem.syncs.refuse(t, ErrRebalancing)
		}
		h.m.write(t, classicTombstone(h.classic.id))
	}
	g := newConsumerGroup(h.m, h.group.id)
	h.m.setGroup(g.id, g)
	if len(h.group.members) == 0 {
		return g
	}
	ids := sortedKeys(h.group.members)
	for _, id := range ids {
		h.m.write(t, memberRecord(g.id, h.group.members[id]))
	}
	h.m.write(t, epochRecord(g.id, h.group.epoch, h.m.metadataHash(h.group.subscribed)))
	for _, id := range ids {
		h.m.write(t, targetRecord(g.id, id, h.group.target[id]))
	}
	h.m.write(t, targetEpochRecord(g.id, h.group.targetEpoch, 0))
	for _, id := range ids {
		c := h.group.members[id]
		h.m.write(t, currentRecord(g.id, id, c.reconciled))
		h.m.timers.set(&g.timersOf(id).session, t.now.Add(c.classic.session))
	}
	return g
}

// upgraded is what a classic group with members becomes: its generation is the epoch that everybody
// reached with what the leader assigned. It is ErrGroupIDNotFound where Kafka would not change it.
func (m *Machine) upgraded(c *classicGroup) (*consumerGroup, error) {
	cfg := &m.cfg.Consumer
	if !cfg.Migration.upgrades() || !c.consumers() || len(c.order) > cfg.MembersMax {
		return nil, ErrGroupIDNotFound
	}
	g := newConsumerGroup(m, c.id)
	g.epoch, g.targetEpoch = c.generation, c.generation
	for _, mem := range c.order {
		said := mem.subscription(c.protocolName)
		target, ok := readAssignment(m.topics.Image(), mem.assignment)
		if said == nil || !ok || !g.freeOf(target).Equal(target) {
			return nil, ErrGroupIDNotFound // a leader may even give a partition to several members
		}
		g.adopt(mem, said, target)
	}
	if c.now == stateStable {
		return g, nil
	}
	// A rebalance that was cut short leaves members without an assignment. Those that rebalance
	// cooperatively read on what they say they own: it is theirs until they join again. Kafka forgets it.
	for _, mem := range c.order {
		if said := mem.subscription(c.protocolName); len(g.target[mem.id]) == 0 {
			g.adopt(mem, said, g.freeOf(owns(m.topics.Image(), said)))
		}
	}
	return g, nil
}

// subscription is what a member says in the group's protocol, or while there is none yet in the one it
// likes best; nil: it cannot be read.
func (mem *classicMember) subscription(protocol *string) *kmsg.ConsumerMemberMetadata {
	if protocol == nil && len(mem.protocols) > 0 {
		protocol = &mem.protocols[0].Name
	}
	return readSubscription(mem.metadata(protocol))
}

// adopt takes in a member of a classic group with what it reads.
func (g *consumerGroup) adopt(
	mem *classicMember, said *kmsg.ConsumerMemberMetadata, reads assignor.Assignment,
) {
	g.target[mem.id] = reads
	g.put(&consumerMember{
		id: mem.id, instance: deref(mem.instance), rack: deref(said.Rack), client: mem.client,
		rebalance: mem.rebalanceTimeout, topics: namesOf(said),
		classic: &classicSide{session: mem.sessionTimeout, protocols: slices.Clone(mem.protocols)},
		reconciled: reconcile.Member{
			Epoch: g.epoch, PreviousEpoch: g.epoch, Assigned: since(reads, g.epoch),
		},
	})
}

// freeOf leaves out what is held, in order.
func (g *consumerGroup) freeOf(a assignor.Assignment) assignor.Assignment {
	free := make(assignor.Assignment, len(a))
	for topic, partitions := range a {
		left := slices.DeleteFunc(slices.Clone(partitions), func(p int32) bool { return g.isHeld(topic, p) })
		if slices.Sort(left); len(left) > 0 {
			free[topic] = slices.Compact(left)
		}
	}
	return free
}

// since gives all partitions of an assignment one epoch.
func since(a assignor.Assignment, epoch int32) reconcile.Epochs {
	e := make(reconcile.Epochs, len(a))
	for topic, partitions := range a {
		e[topic] = make(map[int32]int32, len(partitions))
		for _, p := range partitions {
			e[topic][p] = epoch
		}
	}
	return e
}

// readAssignment reads what a leader assigned. It cannot be taken over if it holds data of an assignor
// of its own.
func readAssignment(image Image, assignment []byte) (assignor.Assignment, bool) {
	a := assignor.Assignment{}
	if len(assignment) == 0 {
		return a, true // has not synced yet
	}
	said := kmsg.NewConsumerMemberAssignment()
	if err := said.ReadFrom(assignment); err != nil || len(said.UserData) > 0 {
		return nil, false
	}
	for _, assigned := range said.Topics {
		if topic, ok := image.ByName(assigned.Topic); ok && len(assigned.Partitions) > 0 {
			partitions := append(a[topic.ID], assigned.Partitions...)
			slices.Sort(partitions)
			a[topic.ID] = slices.Compact(partitions)
		}
	}
	return a, true
}

// mayDowngrade reports whether a group of that many members may become classic.
func (m *Machine) mayDowngrade(members int) bool {
	return m.cfg.Consumer.Migration.downgrades() && members <= m.cfg.MembersMax
}

// downgrade makes a group classic, without some members. All who stay speak the classic protocol. A
// group that rests keeps its assignments; otherwise, or with rebalance, the members assign anew. Until
// then each is on record with what it holds, where Kafka writes down its target: a group that is
// upgraded again at once must not give away what somebody still reads.
func (m *Machine) downgrade(t *turn, g *consumerGroup, gone []*consumerMember, rebalance bool) {
	rebalance = rebalance || g.state() != string(stateStable)
	c := newClassicGroup(m, g.id)
	c.now, c.before, c.since = stateStable, stateStable, kafka.TimestampOf(t.now)
	c.generation = g.epoch
	for _, id := range sortedKeys(g.members) {
		member := g.members[id]
		if slices.Contains(gone, member) {
			continue
		}
		mem := &classicMember{
			id: id, client: member.client, rebalanceTimeout: member.rebalance,
			sessionTimeout: member.classic.session, protocols: member.classic.protocols,
		}
		if member.instance != "" {
			mem.instance = &member.instance
		}
		c.add(mem, consumerProtocol)
	}
	c.protocolName = c.vote()
	for _, mem := range c.order {
		has := g.members[mem.id].holds()
		mem.assignment = writeAssignment(m.topics.Image(), has, mem.metadata(c.protocolName))
	}
	c.learnSubscriptions()
	m.write(t, g.tombstones(nil)...)
	m.setGroup(c.id, c)
	t.Records = append(t.Records, classicRecord(c))
	for _, mem := range c.order {
		m.keepSession(t, mem)
	}
	if rebalance {
		m.prepareRebalance(t, c)
	}
}
