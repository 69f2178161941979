package api

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Subscriptions and assignments were slices of the request's buffer, and changed when it was used again.
func TestGroupBytesOutliveTheRequest(t *testing.T) {
	f := newFake()
	f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	says, assigned := strings.Repeat("says ", 20), strings.Repeat("assigned ", 10)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = "g", "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 10_000, 10_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte(says)}}
	joined := ask[*kmsg.JoinGroupResponse](c, join, 3)

	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = "g", joined.Generation, joined.MemberID
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{
		{MemberID: joined.MemberID, MemberAssignment: []byte(assigned)},
	}
	if got := ask[*kmsg.SyncGroupResponse](c, sync, 3); string(got.MemberAssignment) != assigned {
		t.Errorf("assigned %q", got.MemberAssignment)
	}
	for range 10 {
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID = "other", strings.Repeat("x", 200)
		ask[*kmsg.HeartbeatResponse](c, beat, 3)
	}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{"g"}
	got := ask[*kmsg.DescribeGroupsResponse](c, describe, 4).Groups[0]
	if got.State != "Stable" || string(got.Members[0].ProtocolMetadata) != says ||
		string(got.Members[0].MemberAssignment) != assigned {
		t.Errorf("described as %+v", got)
	}
}
