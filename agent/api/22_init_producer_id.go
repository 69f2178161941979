package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

// fencedInitSince is the first version of InitProducerId whose clients know PRODUCER_FENCED.
const fencedInitSince = 4

// initProducerID answers InitProducerId (key 22). Without a transactional id any agent gives an id.
func (h *Handler) initProducerID(
	ctx context.Context, version int16, req *kmsg.InitProducerIDRequest,
) *kmsg.InitProducerIDResponse {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	had := coordinator.Producer{ID: kafka.ProducerID(req.ProducerID), Epoch: req.ProducerEpoch}
	if version < 3 {
		had = coordinator.Producer{ID: kafka.NoProducerID, Epoch: kafka.NoProducerEpoch}
	}
	if (had.ID == kafka.NoProducerID) != (had.Epoch == kafka.NoProducerEpoch) {
		resp.ErrorCode = codeInvalidRequest
		return resp
	}
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	if req.TransactionalID == nil {
		id, err := h.backend.NextProducerID(ctx)
		if err != nil {
			h.log.Warn("no producer id", "err", err)
			resp.ErrorCode = codeRetryCoordinator // retried by every client
			return resp
		}
		resp.ProducerID, resp.ProducerEpoch = int64(id), 0
		return resp
	}
	q := txn.InitProducerID{
		ID: *req.TransactionalID, Timeout: time.Duration(req.TransactionTimeoutMillis) * time.Millisecond,
	}
	if had.ID != kafka.NoProducerID {
		q.Expected = &had
	}
	got, err := h.backend.InitProducerID(ctx, q)
	if err != nil {
		resp.ErrorCode = fencedCode(h.txnCode("InitProducerId", err), version >= fencedInitSince)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = int64(got.ID), got.Epoch
	return resp
}

// txnCode is the code of a coordinator's refusal. What did not happen in time may be asked again.
func (h *Handler) txnCode(name string, err error) code {
	c := codeOf(err)
	if isTimeout(err) {
		c = codeOf(coordinator.ErrNotAvailable)
	}
	if c == codeUnknown {
		h.log.Warn("transaction request failed", "api", name, "err", err)
	}
	return c
}

// fencedCode gives clients that do not know PRODUCER_FENCED what they had before (KIP-588).
func fencedCode(c code, known bool) code {
	if c == kerr.ProducerFenced.Code && !known {
		return kerr.InvalidProducerEpoch.Code
	}
	return c
}
