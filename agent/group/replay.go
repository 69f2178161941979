package group

import (
	"encoding/binary"
	"fmt"

	"github.com/varve-log/varve/agent/coordinator"
)

// The versions of keys, which tell the type of a record.
const (
	keyOffsetLegacy  int16 = 0
	keyOffset        int16 = 1
	keyGroupMetadata int16 = 2
)

// Replay takes in one record of the log.
func (m *Machine) Replay(r coordinator.Stored) error {
	if len(r.Key) < 2 {
		return fmt.Errorf("%w: key of %d bytes", ErrUnknownRecord, len(r.Key))
	}
	switch version := int16(binary.BigEndian.Uint16(r.Key)); version {
	case keyOffsetLegacy, keyOffset:
		return m.replayOffset(r)
	case keyGroupMetadata:
		return m.replayClassic(r)
	default:
		return m.replayConsumer(version, r)
	}
}

func unknownKey(version int16) error {
	return fmt.Errorf("%w: key version %d", ErrUnknownRecord, version)
}
