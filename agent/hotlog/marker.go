package hotlog

import (
	"fmt"

	"github.com/varve-log/varve/kafka/record"
)

// marker is the one record of a control batch that ends a transaction (KIP-98).
type marker struct {
	abort            bool
	coordinatorEpoch int32
}

// parseMarker reads an end-of-transaction control batch.
func parseMarker(b record.Batch) (marker, error) {
	it := b.Records(record.DefaultLimits())
	defer it.Close()
	if !it.Next() {
		return marker{}, fmt.Errorf("control batch without a record: %w", record.ErrCorrupt)
	}
	m, coordinatorEpoch, ok := record.ParseMarker(it.Record())
	if !ok {
		return marker{}, fmt.Errorf("control batch of another kind: %w", record.ErrInvalid)
	}
	return marker{abort: m == record.Abort, coordinatorEpoch: coordinatorEpoch}, nil
}
