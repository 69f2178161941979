package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// consumerProbes ask as members and administrators of consumer groups do. From version 1 on members name
// themselves.
func consumerProbes() map[int16]probe {
	return map[int16]probe{
		68: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			req.Group, req.RebalanceTimeoutMillis = fmt.Sprintf("consumers-%d", v), 10_000
			req.SubscribedTopicNames, req.Topics = []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			if v > 0 {
				req.MemberID = "m"
			}
			return req, func(r kmsg.Response) error {
				a := r.(*kmsg.ConsumerGroupHeartbeatResponse)
				return check(words(a.ErrorCode, a.MemberID != nil && *a.MemberID != "", a.MemberEpoch,
					a.HeartbeatIntervalMillis, a.Assignment != nil), "0 true 2 5000 true")
			}
		},
		69: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrConsumerGroupDescribeRequest()
			req.Groups, req.IncludeAuthorizedOperations = []string{"consumers-1", "none", ""}, true
			return req, func(r kmsg.Response) error {
				g := r.(*kmsg.ConsumerGroupDescribeResponse).Groups
				m := g[0].Members[0]
				if v > 0 && m.MemberType != memberConsumer {
					return fmt.Errorf("member type %d", m.MemberType)
				}
				return check(words(g[0].ErrorCode, g[0].State, g[0].AssignorName, m.MemberID,
					m.SubscribedTopics[0], g[0].AuthorizedOperations == groupOps, g[1].ErrorCode, g[2].ErrorCode),
					"0 Stable uniform m t true 69 24")
			}
		},
	}
}
