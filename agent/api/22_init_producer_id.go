package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// initProducerID answers InitProducerId (key 22) for idempotent producers. A transactional id is
// refused with INVALID_REQUEST, which clients take as final: there are no transactions yet.
func (h *Handler) initProducerID(
	ctx context.Context, _ int16, req *kmsg.InitProducerIDRequest,
) *kmsg.InitProducerIDResponse {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	if req.TransactionalID != nil {
		resp.ErrorCode = codeInvalidRequest
		return resp
	}
	ctx, cancel := h.waitFor(ctx, 0)
	defer cancel()
	id, err := h.backend.NextProducerID(ctx)
	if err != nil {
		h.log.Warn("no producer id", "err", err)
		resp.ErrorCode = codeRetryCoordinator // retried by every client
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = int64(id), 0
	return resp
}
