package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

// bumpingEndSince is the first version of EndTxn whose clients speak transaction version 2 (KIP-890).
const bumpingEndSince = 5

// endTxn answers EndTxn (key 26).
func (h *Handler) endTxn(
	ctx context.Context, version int16, req *kmsg.EndTxnRequest,
) *kmsg.EndTxnResponse {
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	resp := kmsg.NewPtrEndTxnResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	q := txn.End{
		ID:       req.TransactionalID,
		Producer: coordinator.Producer{ID: kafka.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch},
		Commit:   req.Commit,
	}
	if version >= bumpingEndSince {
		q.Version = txn.Version2
	}
	got, err := h.backend.EndTransaction(ctx, q)
	if err != nil {
		resp.ErrorCode = fencedCode(h.txnCode("EndTxn", err), version >= fencedTxnSince)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = int64(got.ID), got.Epoch
	return resp
}
