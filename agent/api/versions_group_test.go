package api

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// memberProbes ask as members do. Up to version 3 a join makes a member at once, in a group of its own.
func memberProbes() map[int16]probe {
	return map[int16]probe{
		11: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrJoinGroupRequest()
			req.Group, req.ProtocolType = fmt.Sprintf("join-%d", v), "consumer"
			req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 10_000
			req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
			return req, func(r kmsg.Response) error {
				j := r.(*kmsg.JoinGroupResponse)
				if v >= joinTwiceSince {
					return check(words(j.ErrorCode, j.Generation, j.MemberID != ""),
						words(kerr.MemberIDRequired.Code, -1, true))
				}
				return check(words(j.ErrorCode, j.Generation, len(j.Members), *j.Protocol), "0 1 1 range")
			}
		},
		12: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID = "none", "m"
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.HeartbeatResponse).ErrorCode, kerr.UnknownMemberID.Code)
			}
		},
		13: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrLeaveGroupRequest()
			req.Group, req.MemberID = "none", "m"
			req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: "m"}}
			return req, func(r kmsg.Response) error {
				l := r.(*kmsg.LeaveGroupResponse)
				if v >= leaveManySince {
					return check(words(l.ErrorCode, l.Members[0].ErrorCode), "0 25")
				}
				return check(l.ErrorCode, kerr.UnknownMemberID.Code)
			}
		},
		14: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrSyncGroupRequest()
			req.Group, req.MemberID = "none", "m"
			req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.SyncGroupResponse).ErrorCode, kerr.UnknownMemberID.Code)
			}
		},
	}
}

// offsetProbes commit, fetch and delete the offset 5 of two groups.
func offsetProbes(topic *Topic) map[int16]probe {
	metadata := "meta"
	return map[int16]probe{
		8: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Group, req.Generation = "offsets", -1
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = topic.Name, topic.ID
			for _, p := range []int32{0, 77, 1} {
				t.Partitions = append(t.Partitions, kmsg.OffsetCommitRequestTopicPartition{
					Partition: p, Offset: 5, LeaderEpoch: 3, Metadata: &metadata,
				})
			}
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				p := r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions
				return check(words(p[0].ErrorCode, p[1].ErrorCode, p[2].ErrorCode), "0 3 0")
			}
		},
		9: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Group, req.RequireStable = "offsets", true
			req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: topic.Name, Partitions: []int32{0}}}
			some, all := kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroup()
			some.Group, all.Group = "offsets", "offsets"
			some.Topics = []kmsg.OffsetFetchRequestGroupTopic{
				{Topic: topic.Name, TopicID: topic.ID, Partitions: []int32{0}},
			}
			req.Groups = append(req.Groups, some, all)
			return req, func(r kmsg.Response) error {
				f := r.(*kmsg.OffsetFetchResponse)
				if v < 8 {
					p := f.Topics[0].Partitions[0]
					return check(words(f.ErrorCode, p.ErrorCode, p.Offset, *p.Metadata), "0 0 5 meta")
				}
				p, whole := f.Groups[0].Topics[0].Partitions[0], f.Groups[1].Topics[0]
				return check(words(p.ErrorCode, p.Offset, *p.Metadata, len(whole.Partitions),
					whole.Topic == topic.Name || whole.TopicID == topic.ID), "0 5 meta 2 true")
			}
		},
		28: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrTxnOffsetCommitRequest()
			req.TransactionalID, req.Group, req.Generation = "x", "in-transaction", -1
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = topic.Name
			t.Partitions = []kmsg.TxnOffsetCommitRequestTopicPartition{{Partition: 77}, {Offset: 5}}
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				p := r.(*kmsg.TxnOffsetCommitResponse).Topics[0].Partitions
				return check(words(p[0].ErrorCode, p[1].ErrorCode), "3 0")
			}
		},
		47: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrOffsetDeleteRequest()
			req.Group = "offsets"
			req.Topics = []kmsg.OffsetDeleteRequestTopic{{
				Topic: topic.Name, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 77}, {}},
			}}
			return req, func(r kmsg.Response) error {
				d := r.(*kmsg.OffsetDeleteResponse)
				return check(words(d.ErrorCode, d.Topics[0].Partitions[0].ErrorCode,
					d.Topics[0].Partitions[1].ErrorCode), "0 3 0")
			}
		},
	}
}

// groupProbes ask as administrators do.
func groupProbes(*Topic) map[int16]probe {
	return map[int16]probe{
		15: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDescribeGroupsRequest()
			req.Groups, req.IncludeAuthorizedOperations = []string{"join-0", "none"}, true
			return req, func(r kmsg.Response) error {
				g := r.(*kmsg.DescribeGroupsResponse).Groups
				want := "CompletingRebalance 1 Dead 0"
				if v >= describeNotFoundSince {
					want = "CompletingRebalance 1 Dead 69"
				}
				return check(words(g[0].State, len(g[0].Members), g[1].State, g[1].ErrorCode),
					want)
			}
		},
		16: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrListGroupsRequest()
			req.StatesFilter, req.TypesFilter = []string{"empty"}, []string{"Classic"}
			return req, func(r kmsg.Response) error {
				l := r.(*kmsg.ListGroupsResponse)
				for _, g := range l.Groups {
					if v >= 5 && (g.GroupState != "Empty" || g.GroupType != "classic") {
						return fmt.Errorf("listed %+v", g)
					}
				}
				return check(words(l.ErrorCode, len(l.Groups) > 0), "0 true")
			}
		},
		42: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDeleteGroupsRequest()
			req.Groups = []string{"none", "join-0", "none"}
			return req, func(r kmsg.Response) error {
				d := r.(*kmsg.DeleteGroupsResponse).Groups
				return check(words(len(d), d[0].ErrorCode, d[1].ErrorCode), "2 69 68")
			}
		},
	}
}

// words are values with a blank between each.
func words(values ...any) string { return strings.TrimSuffix(fmt.Sprintln(values...), "\n") }
