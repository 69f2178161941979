package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// txnProbes ask about transactional ids that there are not: the coordinator's answer is enough to show
// that every version is understood.
func txnProbes(topic *Topic) map[int16]probe {
	return map[int16]probe{
		24: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrAddPartitionsToTxnRequest()
			req.TransactionalID = "nosuch"
			req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic.Name, Partitions: []int32{0}}}
			req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{
				TransactionalID: "nosuch", VerifyOnly: v == 5,
				Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{
					Topic: topic.Name, Partitions: []int32{0},
				}},
			}}
			return req, func(r kmsg.Response) error {
				a := r.(*kmsg.AddPartitionsToTxnResponse)
				var c code
				if v < batchedAddSince {
					c = a.Topics[0].Partitions[0].ErrorCode
				} else {
					c = a.Transactions[0].Topics[0].Partitions[0].ErrorCode
				}
				return check(c, kerr.InvalidProducerIDMapping.Code)
			}
		},
		25: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrAddOffsetsToTxnRequest()
			req.TransactionalID, req.Group = "nosuch", "g"
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.AddOffsetsToTxnResponse).ErrorCode,
					kerr.InvalidProducerIDMapping.Code)
			}
		},
		26: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrEndTxnRequest()
			req.TransactionalID = "nosuch"
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.EndTxnResponse).ErrorCode, kerr.InvalidProducerIDMapping.Code)
			}
		},
		27: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrWriteTxnMarkersRequest()
			m := kmsg.NewWriteTxnMarkersRequestMarker()
			m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{
				{Topic: topic.Name, Partitions: []int32{0}},
				{Topic: "nosuch", Partitions: []int32{0}},
			}
			req.Markers = append(req.Markers, m)
			return req, func(r kmsg.Response) error {
				w := r.(*kmsg.WriteTxnMarkersResponse)
				return check(fmt.Sprint(w.Markers[0].Topics[0].Partitions[0].ErrorCode,
					w.Markers[0].Topics[1].Partitions[0].ErrorCode), "0 3")
			}
		},
		61: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDescribeProducersRequest()
			req.Topics = []kmsg.DescribeProducersRequestTopic{
				{Topic: topic.Name, Partitions: []int32{0, 9}},
				{Topic: "no such", Partitions: []int32{0}},
			}
			return req, func(r kmsg.Response) error {
				d := r.(*kmsg.DescribeProducersResponse)
				ps := d.Topics[0].Partitions
				return check(fmt.Sprint(ps[0].ErrorCode, ps[0].ActiveProducers[0].ProducerID,
					ps[1].ErrorCode, d.Topics[1].Partitions[0].ErrorCode), "0 7 3 17")
			}
		},
		65: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDescribeTransactionsRequest()
			req.TransactionalIDs = []string{"nosuch"}
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.DescribeTransactionsResponse).TransactionStates[0].ErrorCode,
					kerr.TransactionalIDNotFound.Code)
			}
		},
		66: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrListTransactionsRequest()
			req.StateFilters = []string{"Nonsense"}
			return req, func(r kmsg.Response) error {
				l := r.(*kmsg.ListTransactionsResponse)
				return check(fmt.Sprint(l.ErrorCode, l.UnknownStateFilters), "0 [Nonsense]")
			}
		},
	}
}
