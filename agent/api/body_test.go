package api

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What groups keep of a request must not change with the memory that the request came in.
func TestGroupsKeepWhatTheirRequestsSaid(t *testing.T) {
	f := newFake()
	c := dial(t, serveFake(t, f))
	metadata, assignment := bytes.Repeat([]byte("m"), 3000), bytes.Repeat([]byte("a"), 3000)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = "kept", "p"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 10_000, 10_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "n", Metadata: metadata}}
	joined := c.receive(join, c.send(join, 3)).(*kmsg.JoinGroupResponse)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = "kept", joined.MemberID, joined.Generation
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{
		{MemberID: joined.MemberID, MemberAssignment: assignment},
	}
	c.receive(sync, c.send(sync, 3))
	for range 20 { // requests of about the same size take the same memory
		other := kmsg.NewPtrHeartbeatRequest()
		other.Group = string(bytes.Repeat([]byte("x"), 3500))
		c.receive(other, c.send(other, 3))
	}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{"kept"}
	m := c.receive(describe, c.send(describe, 3)).(*kmsg.DescribeGroupsResponse).Groups[0].Members[0]
	if !bytes.Equal(m.ProtocolMetadata, metadata) || !bytes.Equal(m.MemberAssignment, assignment) {
		t.Errorf("kept %.40q and %.40q", m.ProtocolMetadata, m.MemberAssignment)
	}
}
