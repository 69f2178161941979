package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

// listTransactions answers ListTransactions (key 66) with what this agent coordinates. The filters for
// duration (version 1) and for a pattern of ids (version 2) are KIP-994 and KIP-1152.
func (h *Handler) listTransactions(
	_ context.Context, version int16, req *kmsg.ListTransactionsRequest,
) *kmsg.ListTransactionsResponse {
	resp := kmsg.NewPtrListTransactionsResponse()
	q := txn.ListRequest{States: req.StateFilters, Duration: -1}
	for _, id := range req.ProducerIDFilters {
		q.ProducerIDs = append(q.ProducerIDs, kafka.ProducerID(id))
	}
	if version >= 1 && req.DurationFilterMillis >= 0 {
		q.Duration = time.Duration(req.DurationFilterMillis) * time.Millisecond
	}
	if version >= 2 && req.TransactionalIDPattern != nil {
		q.Pattern = *req.TransactionalIDPattern
	}
	filter, err := txn.NewFilter(q)
	if err != nil {
		resp.ErrorCode = codeOf(err)
		return resp
	}
	resp.UnknownStateFilters = filter.Unknown
	all, err := h.backend.ListTransactions(filter)
	if err != nil {
		resp.UnknownStateFilters = nil
		resp.ErrorCode = codeOf(err)
		return resp
	}
	for _, l := range all {
		s := kmsg.NewListTransactionsResponseTransactionState()
		s.TransactionalID, s.ProducerID, s.TransactionState = l.ID, int64(l.ProducerID), l.State.String()
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	return resp
}
