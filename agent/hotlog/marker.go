package hotlog

import (
	"encoding/binary"
	"fmt"

	"github.com/varve-log/varve/kafka/record"
)

// marker is the one record of a control batch that ends a transaction (KIP-98).
type marker struct {
	abort            bool
	coordinatorEpoch int32
}

// Types of control records.
const (
	controlAbort  = 0
	controlCommit = 1
)

// parseMarker reads an end-of-transaction control batch. Its key is version and type, its value
// begins with version and coordinator epoch.
func parseMarker(b record.Batch) (marker, error) {
	it := b.Records(record.DefaultLimits())
	defer it.Close()
	if !it.Next() {
		return marker{}, fmt.Errorf("control batch without a record: %w", record.ErrCorrupt)
	}
	r := it.Record()
	if len(r.Key) < 4 || len(r.Value) < 6 {
		return marker{}, fmt.Errorf("control record of %d and %d bytes: %w",
			len(r.Key), len(r.Value), record.ErrCorrupt)
	}
	kind := binary.BigEndian.Uint16(r.Key[2:])
	if kind != controlAbort && kind != controlCommit {
		return marker{}, fmt.Errorf("control record of type %d: %w", kind, record.ErrCorrupt)
	}
	return marker{
		abort:            kind == controlAbort,
		coordinatorEpoch: int32(binary.BigEndian.Uint32(r.Value[2:])),
	}, nil
}
