package partition

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/agent/readpath"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
)

// meanings gives each error from below the sentinel that the handlers know. The first match counts.
var meanings = []struct{ cause, sentinel error }{
	{hotlog.ErrDiskFull, api.ErrDiskFull},
	{hotlog.ErrLocalDiskLimit, api.ErrDiskFull},
	{hotlog.ErrBatchTooLarge, api.ErrRecordListTooLarge},
	{hotlog.ErrOutOfOrderSequence, api.ErrOutOfOrderSequence},
	{hotlog.ErrInvalidProducerEpoch, api.ErrInvalidProducerEpoch},
	{hotlog.ErrInvalidTxnState, api.ErrInvalidTxnState},
	{hotlog.ErrNotVerified, api.ErrInvalidTxnState},
	{hotlog.ErrTxnCoordinatorFenced, api.ErrCoordinatorFenced},
	{hotlog.ErrFenced, api.ErrNotLeader},
	{hotlog.ErrClosed, api.ErrNotLeader},
	{hotlog.ErrOffsetOutOfRange, api.ErrOffsetOutOfRange},
	{hotlog.ErrBelowLocalStart, api.ErrOffsetOutOfRange},
	{hotlog.ErrCorrupt, api.ErrCorrupt},
	{readpath.ErrOffsetOutOfRange, api.ErrOffsetOutOfRange},
	{readpath.ErrCorrupt, api.ErrCorrupt},
	{readpath.ErrMissing, api.ErrCorrupt},
	{readpath.ErrClosed, api.ErrStopping},
	{manifest.ErrFenced, api.ErrNotLeader},
	{manifest.ErrDeleted, api.ErrUnknownPartition},
	{catalog.ErrConflict, api.ErrConflict},
	{objstore.ErrUnavailable, api.ErrBucket},
	{objstore.ErrUnknownOutcome, api.ErrBucket},
	{objstore.ErrChecksum, api.ErrCorrupt},
}

// meaning wraps err in the sentinel that the handlers know. What nobody foresaw is a storage error.
func meaning(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	for _, m := range meanings {
		if errors.Is(err, m.cause) {
			return fmt.Errorf("%w: %w", m.sentinel, err)
		}
	}
	return fmt.Errorf("%w: %w", api.ErrStorage, err)
}
