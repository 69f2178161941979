package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeTransactions answers DescribeTransactions (key 65).
func (h *Handler) describeTransactions(
	ctx context.Context, _ int16, req *kmsg.DescribeTransactionsRequest,
) *kmsg.DescribeTransactionsResponse {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	resp := kmsg.NewPtrDescribeTransactionsResponse()
	for _, id := range req.TransactionalIDs {
		resp.TransactionStates = append(resp.TransactionStates, h.describeTransaction(ctx, id))
	}
	return resp
}

func (h *Handler) describeTransaction(
	ctx context.Context, id string,
) kmsg.DescribeTransactionsResponseTransactionState {
	s := kmsg.NewDescribeTransactionsResponseTransactionState()
	s.TransactionalID = id
	d, err := h.backend.DescribeTransaction(ctx, id)
	if err != nil {
		s.ErrorCode = h.txnCode("DescribeTransactions", err)
		return s
	}
	s.State, s.TimeoutMillis = d.State.String(), int32(d.Timeout.Milliseconds())
	s.StartTimestamp = int64(d.Started)
	s.ProducerID, s.ProducerEpoch = int64(d.Producer.ID), d.Producer.Epoch
	for _, p := range d.Partitions {
		if n := len(s.Topics); n == 0 || s.Topics[n-1].Topic != p.Topic {
			t := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			t.Topic = p.Topic
			s.Topics = append(s.Topics, t)
		}
		last := &s.Topics[len(s.Topics)-1]
		last.Partitions = append(last.Partitions, p.Partition)
	}
	return s
}
