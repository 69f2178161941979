package group

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/reconcile"
	"github.com/varve-log/varve/kafka"
)

// clientIDsFrom is the version from which on members name themselves.
const clientIDsFrom = 1

// ConsumerHeartbeat joins, keeps or ends a membership (ConsumerGroupHeartbeat).
func (m *Machine) ConsumerHeartbeat(
	now time.Time, to coordinator.Token, q ConsumerHeartbeatRequest,
) coordinator.Effects {
	t := &turn{now: now}
	if err := m.checkHeartbeat(&q); err != nil {
		t.Refuse(to, err)
		return t.Effects
	}
	var answer ConsumerHeartbeatResponse
	var err error
	if q.MemberEpoch < 0 {
		answer, err = m.leaveMember(t, &q)
	} else {
		answer, err = m.heartbeatMember(t, &q)
	}
	if err != nil {
		t.Refuse(to, err)
	} else {
		t.Answer(to, answer)
	}
	return t.Effects
}

// checkHeartbeat refuses what makes no sense in any group.
func (m *Machine) checkHeartbeat(q *ConsumerHeartbeatRequest) error {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	switch {
	case blank(q.MemberID) &&
		(q.Version >= clientIDsFrom || q.MemberEpoch > 0 || q.MemberEpoch == EpochLeave):
		return fmt.Errorf("%w: MemberId can't be empty", ErrInvalidRequest)
	case blank(q.Group):
		return fmt.Errorf("%w: GroupId can't be empty", ErrInvalidRequest)
	case q.InstanceID != nil && blank(*q.InstanceID):
		return fmt.Errorf("%w: InstanceId can't be empty", ErrInvalidRequest)
	case q.Rack != nil && blank(*q.Rack):
		return fmt.Errorf("%w: RackId can't be empty", ErrInvalidRequest)
	case q.MemberEpoch < EpochLeaveStatic:
		return fmt.Errorf("%w: MemberEpoch is invalid", ErrInvalidRequest)
	case q.MemberEpoch == EpochLeaveStatic && q.InstanceID == nil:
		return fmt.Errorf("%w: InstanceId can't be null", ErrInvalidRequest)
	case q.Assignor != nil && !slices.Contains(m.cfg.Consumer.Assignors, *q.Assignor):
		return fmt.Errorf("%w: %q, there are %s", ErrUnsupportedAssignor, *q.Assignor,
			strings.Join(m.cfg.Consumer.Assignors, ", "))
	case q.MemberEpoch != EpochJoin:
		return nil
	case q.RebalanceTimeout < 0:
		return fmt.Errorf("%w: RebalanceTimeoutMs must be provided in first request", ErrInvalidRequest)
	case q.Owned == nil || len(q.Owned) > 0:
		return fmt.Errorf("%w: TopicPartitions must be empty when (re-)joining", ErrInvalidRequest)
	case q.Topics == nil && q.Regex == nil:
		return fmt.Errorf("%w: either SubscribedTopicNames or SubscribedTopicRegex must be non-null when "+
			"(re-)joining", ErrInvalidRequest)
	}
	return nil
}

// heartbeatMember takes a member in, or one step nearer to the target. Everything is checked before
// anything is written.
func (m *Machine) heartbeatMember(
	t *turn, q *ConsumerHeartbeatRequest,
) (ConsumerHeartbeatResponse, error) {
	none := ConsumerHeartbeatResponse{}
	if q.MemberID == "" {
		q.MemberID = m.newID()
	}
	home, err := m.homeFor(q)
	if err != nil {
		return none, err
	}
	member, replaces, err := home.group.memberFor(q)
	if err != nil {
		return none, err
	}
	updated := member.heard(q)
	if err := home.group.check(member, updated); err != nil {
		return none, err
	}
	g := home.settle(t)
	if replaces != "" {
		g.replace(t, replaces, member)
	}
	resubscribed := g.update(t, member, updated, home.isNew && len(home.group.members) > 0)
	g.retarget(t)
	after, err := g.reconcile(t, updated.id, q.Owned, resubscribed)
	if err != nil {
		return none, err
	}
	ts := g.timersOf(after.id)
	cfg := m.cfg.Consumer.of(g.id)
	m.timers.set(&ts.session, t.now.Add(cfg.SessionTimeout))
	answer := ConsumerHeartbeatResponse{
		MemberID: after.id, MemberEpoch: after.epoch(), Interval: cfg.HeartbeatInterval,
	}
	changed := !member.reconciled.Assigned.Equal(after.reconciled.Assigned)
	if q.MemberEpoch == EpochJoin || q.full() || changed {
		answer.Assignment = partitionsOf(after.reconciled.Assigned)
	}
	return answer, nil
}

// heard is the member with what the heartbeat says of it.
func (c *consumerMember) heard(q *ConsumerHeartbeatRequest) *consumerMember {
	u := *c
	u.client, u.classic = q.Client, nil
	for _, f := range []struct {
		field *string
		said  *string
	}{{&u.instance, q.InstanceID}, {&u.rack, q.Rack}, {&u.assignor, q.Assignor}, {&u.regex, q.Regex}} {
		if f.said != nil {
			*f.field = *f.said
		}
	}
	if q.RebalanceTimeout >= 0 {
		u.rebalance = q.RebalanceTimeout
	}
	if q.Topics != nil {
		u.topics = slices.Clone(q.Topics)
		slices.Sort(u.topics)
		u.topics = slices.Compact(u.topics)
	}
	return &u
}

// check refuses what is no regular expression or would not fit into a record.
func (g *consumerGroup) check(member, updated *consumerMember) error {
	if updated.sameMetadata(member) {
		return nil
	}
	if updated.regex != member.regex && g.byRegex[updated.regex] == 0 {
		if _, err := compile(updated.regex); err != nil {
			return err
		}
	}
	if r := memberRecord(g.id, updated); len(r.Key)+len(r.Value) > g.m.cfg.GroupBytesMax {
		return ErrRecordTooLarge
	}
	return nil
}

// memberFor finds the member that a heartbeat is of, or one that is to join. Where it takes over an
// instance id, it is the member that it replaces under its new id, in epoch 0. Nothing is changed.
func (g *consumerGroup) memberFor(
	q *ConsumerHeartbeatRequest,
) (member *consumerMember, replaces string, err error) {
	joins := q.MemberEpoch == EpochJoin
	if q.InstanceID == nil {
		member = g.members[q.MemberID]
		switch {
		case member != nil:
			return member, "", member.checkEpoch(q)
		case joins:
			return newConsumerMember(q.MemberID), "", nil
		}
		return nil, "", ErrUnknownMember
	}
	old := g.members[g.static[*q.InstanceID]]
	switch {
	case old == nil && joins:
		return g.known(q.MemberID), "", nil
	case old == nil:
		return nil, "", ErrUnknownMember
	case joins && old.classic == nil && old.epoch() != EpochLeaveStatic:
		return nil, "", ErrUnreleasedInstance
	case joins:
		return old.renamed(q.MemberID), old.id, nil
	case old.id != q.MemberID:
		return nil, "", ErrFencedInstance
	}
	return old, "", old.checkEpoch(q)
}

// renamed is a static member that comes back under another id.
func (c *consumerMember) renamed(id string) *consumerMember {
	next := *c
	next.id = id
	next.reconciled.Epoch, next.reconciled.PreviousEpoch = 0, 0
	return &next
}

// checkEpoch fences a member that is not where it should be. The epoch before is accepted from a member
// that owns no more than it has: the answer that told it the new one may be lost.
func (c *consumerMember) checkEpoch(q *ConsumerHeartbeatRequest) error {
	epoch := q.MemberEpoch
	switch {
	case c.reconciled.State == reconcile.Unknown && (q.Owned == nil || len(q.Owned) > 0):
		return ErrFencedEpoch
	case epoch == EpochJoin || epoch == c.epoch():
		return nil
	case epoch > c.epoch() || epoch != c.reconciled.PreviousEpoch || q.Owned == nil:
		return ErrFencedEpoch
	}
	for topic, partitions := range q.Owned {
		for _, p := range partitions {
			if !c.reconciled.Assigned.Has(topic, p) {
				return ErrFencedEpoch
			}
		}
	}
	return nil
}

// replace puts a new static member in the place of the one whose instance id it has.
func (g *consumerGroup) replace(t *turn, old string, member *consumerMember) {
	target := g.target[old]
	g.erase(t, old)
	g.m.write(t,
		memberRecord(g.id, member),
		targetRecord(g.id, member.id, target),
		currentRecord(g.id, member.id, member.reconciled),
	)
}

// update takes in what a member says, and whatever follows for the epoch of the group. It reports
// whether the member's subscription changed. A group that was upgraded gets a new epoch even for a
// member that subscribes to nothing: what its leader assigned may leave partitions to another round.
func (g *consumerGroup) update(
	t *turn, member, updated *consumerMember, upgraded bool,
) bool {
	if g.members[updated.id] == nil || !updated.sameMetadata(member) {
		g.m.write(t, memberRecord(g.id, updated))
	}
	renamed := !slices.Equal(member.topics, updated.topics)
	matched := member.regex != updated.regex
	if matched && member.regex != "" && g.byRegex[member.regex] == 0 {
		g.m.write(t, consumerTombstone(keyRegex, g.id, member.regex))
	}
	changed := g.match(t) || upgraded
	if renamed || matched || changed || g.hashed != g.m.topics.Image().Version() {
		g.refresh(t, renamed || matched || changed)
	}
	return renamed || matched
}

// refresh begins a new epoch if a subscription changed, or a topic that is subscribed to.
func (g *consumerGroup) refresh(t *turn, changed bool) {
	g.hashed = g.m.topics.Image().Version()
	hash := g.m.metadataHash(g.subscribed)
	if changed || hash != g.hash {
		g.m.write(t, epochRecord(g.id, g.epoch+1, hash))
	}
	if g.oldTopics {
		g.m.write(t, consumerTombstone(keyOldTopics, g.id))
	}
}

// reconcile moves a member on and watches over what it has to revoke.
func (g *consumerGroup) reconcile(
	t *turn, id string, owned map[kafka.TopicID][]int32, resubscribed bool,
) (*consumerMember, error) {
	c := g.members[id]
	if !resubscribed && c.reconciled.Reached(g.targetEpoch) {
		return c, nil
	}
	next, err := c.reconciled.Next(reconcile.Target{
		Epoch: g.targetEpoch, Assignment: g.target[id], Owned: owned, Resubscribed: resubscribed,
		Subscribed: func(topic kafka.TopicID) bool { return g.subscribes(c, topic) },
		Held:       g.isHeld,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFencedEpoch, err)
	}
	if next.Equal(c.reconciled) {
		return c, nil
	}
	g.m.write(t, currentRecord(g.id, id, next))
	c = g.members[id]
	if c.classic == nil {
		g.watchRevocation(t, c)
	}
	return c, nil
}

// isHeld reports whether any member reads a partition or has yet to give it up.
func (g *consumerGroup) isHeld(topic kafka.TopicID, partition int32) bool {
	_, held := g.holders[kafka.TopicPartition{Topic: topic, Partition: partition}]
	return held
}

// subscribes reports whether a member asks for a topic, by name or by its regular expression.
func (g *consumerGroup) subscribes(c *consumerMember, id kafka.TopicID) bool {
	topic, exists := g.m.topics.Image().ByID(id)
	if !exists {
		return false
	}
	if _, named := slices.BinarySearch(c.topics, topic.Name); named {
		return true
	}
	_, matches := slices.BinarySearch(g.regexes[c.regex].topics, topic.Name)
	return matches
}
