package agent

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// classicScripted is a member of the classic protocol.
type classicScripted struct {
	s          *script
	group, id  string
	generation int32
	owns       []int32 // of c1
}

// joins asks to join, twice where an id has to be given first.
func (m *classicScripted) joins() {
	q := kmsg.NewPtrJoinGroupRequest()
	q.Group, q.MemberID, q.ProtocolType = m.group, m.id, "consumer"
	q.SessionTimeoutMillis, q.RebalanceTimeoutMillis = 45_000, 60_000
	said := kmsg.NewConsumerMemberMetadata()
	said.Version, said.Topics = 1, []string{"c1"}
	if len(m.owns) > 0 {
		said.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "c1", Partitions: m.owns}}
	}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "cooperative-sticky", said.AppendTo(nil)
	q.Protocols = append(q.Protocols, p)
	a := m.s.ask(q).(*kmsg.JoinGroupResponse)
	if a.ErrorCode == kerr.MemberIDRequired.Code {
		q.MemberID = a.MemberID
		a = m.s.ask(q).(*kmsg.JoinGroupResponse)
	}
	m.id, m.generation = a.MemberID, a.Generation
	m.s.note("%s/classic joins: %d generation %d leads=%t %s", m.group, a.ErrorCode, a.Generation,
		a.LeaderID == a.MemberID, orDash(a.Protocol))
}

// syncs asks for an assignment and brings one if assign is given.
func (m *classicScripted) syncs(assign ...int32) {
	q := kmsg.NewPtrSyncGroupRequest()
	q.Group, q.MemberID, q.Generation = m.group, m.id, m.generation
	q.ProtocolType, q.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("cooperative-sticky")
	if len(assign) > 0 {
		w := kmsg.NewConsumerMemberAssignment()
		w.Version = 1
		w.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "c1", Partitions: assign}}
		q.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{
			{MemberID: m.id, MemberAssignment: w.AppendTo(nil)},
		}
	}
	a := m.s.ask(q).(*kmsg.SyncGroupResponse)
	m.owns = nil
	version := -1
	if a.ErrorCode == 0 {
		var got kmsg.ConsumerMemberAssignment
		if err := got.ReadFrom(a.MemberAssignment); err != nil {
			m.s.t.Fatal(err)
		}
		version = int(got.Version)
		for _, topic := range got.Topics {
			m.owns = append(m.owns, topic.Partitions...)
		}
	}
	m.s.note("%s/classic syncs: %d, %d partitions in version %d", m.group, a.ErrorCode, len(m.owns), version)
}

func (m *classicScripted) heartbeats() {
	q := kmsg.NewPtrHeartbeatRequest()
	q.Group, q.MemberID, q.Generation = m.group, m.id, m.generation
	m.s.note("%s/classic heartbeats: %d", m.group, m.s.ask(q).(*kmsg.HeartbeatResponse).ErrorCode)
}

// upgrade: a classic group takes in a member of the consumer protocol.
func (s *script) upgrade() {
	x := &classicScripted{s: s, group: "up"}
	x.joins()
	x.syncs(0, 1, 2, 3)
	x.heartbeats()
	a := s.member("up", "a").joins(names("c1"))
	x.heartbeats()
	x.joins()
	x.syncs()
	a.heartbeat(nil)
	x.heartbeats()
	x.joins()
	x.syncs()
	x.heartbeats()
	a.heartbeat(nil)
	a.owns()
	x.heartbeats()
}

// downgrade: the last member of the consumer protocol leaves.
func (s *script) downgrade() {
	a := s.member("down", "a").joins(names("c1"))
	s.pass()
	x := &classicScripted{s: s, group: "down"}
	x.joins()
	x.heartbeats()
	a.heartbeat(nil)
	a.owns()
	x.heartbeats()
	x.joins()
	x.syncs()
	a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -1 })
	x.heartbeats()
	x.joins()
	x.syncs(0, 1, 2, 3)
	x.heartbeats()
}
