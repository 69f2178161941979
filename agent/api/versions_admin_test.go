package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func replicaProbes(topic *Topic) map[int16]probe {
	return map[int16]probe{
		34: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrAlterReplicaLogDirsRequest()
			for _, name := range []string{"/fake", "/other"} {
				d := kmsg.NewAlterReplicaLogDirsRequestDir()
				d.Dir = name
				t := kmsg.NewAlterReplicaLogDirsRequestDirTopic()
				t.Topic, t.Partitions = topic.Name, []int32{1, 9}
				d.Topics = append(d.Topics, t)
				req.Dirs = append(req.Dirs, d)
			}
			return req, func(r kmsg.Response) error {
				var got []int16
				for _, p := range r.(*kmsg.AlterReplicaLogDirsResponse).Topics[0].Partitions {
					got = append(got, p.ErrorCode)
				}
				return check(fmt.Sprint(got), "[0 9 57 57]")
			}
		},
		35: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDescribeLogDirsRequest()
			t := kmsg.NewDescribeLogDirsRequestTopic()
			t.Topic, t.Partitions = topic.Name, []int32{1, 0, 1, 7}
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				d := r.(*kmsg.DescribeLogDirsResponse).Dirs[0]
				return check(fmt.Sprint(d.ErrorCode, d.Dir, len(d.Topics[0].Partitions)), "0/fake2")
			}
		},
		43: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrElectLeadersRequest()
			t := kmsg.NewElectLeadersRequestTopic()
			t.Topic, t.Partitions = topic.Name, []int32{1}
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				e := r.(*kmsg.ElectLeadersResponse)
				return check(e.Topics[0].Partitions[0].ErrorCode, codeElectionNotNeeded)
			}
		},
		45: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
			t.Topic = topic.Name
			p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			p.Replicas = []int32{1}
			t.Partitions = append(t.Partitions, p)
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				a := r.(*kmsg.AlterPartitionAssignmentsResponse)
				return check(a.Topics[0].Partitions[0].ErrorCode, codeNone)
			}
		},
		46: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			return kmsg.NewPtrListPartitionReassignmentsRequest(), func(r kmsg.Response) error {
				l := r.(*kmsg.ListPartitionReassignmentsResponse)
				return check(fmt.Sprint(l.ErrorCode, len(l.Topics)), "0 0")
			}
		},
		74: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrListConfigResourcesRequest()
			req.ResourceTypes = []int8{int8(kmsg.ConfigResourceTypeBroker)}
			return req, func(r kmsg.Response) error {
				l := r.(*kmsg.ListConfigResourcesResponse)
				return check(fmt.Sprint(l.ErrorCode, len(l.ConfigResources)), fmt.Sprint(0, v))
			}
		},
		75: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDescribeTopicPartitionsRequest()
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = topic.Name
			req.Topics, req.ResponsePartitionLimit = append(req.Topics, t), 1
			return req, func(r kmsg.Response) error {
				d := r.(*kmsg.DescribeTopicPartitionsResponse)
				return check(fmt.Sprint(d.Topics[0].ErrorCode, len(d.Topics[0].Partitions),
					d.NextCursor.Partition), "0 1 1")
			}
		},
	}
}

func aclProbes() map[int16]probe {
	return map[int16]probe{
		29: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			return kmsg.NewPtrDescribeACLsRequest(), func(r kmsg.Response) error {
				return check(r.(*kmsg.DescribeACLsResponse).ErrorCode, codeNoAuthorizer)
			}
		},
		30: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrCreateACLsRequest()
			req.Creations = append(req.Creations, kmsg.NewCreateACLsRequestCreation())
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.CreateACLsResponse).Results[0].ErrorCode, codeNoAuthorizer)
			}
		},
		31: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDeleteACLsRequest()
			req.Filters = append(req.Filters, kmsg.NewDeleteACLsRequestFilter())
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.DeleteACLsResponse).Results[0].ErrorCode, codeNoAuthorizer)
			}
		},
	}
}
