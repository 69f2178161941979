package record

import (
	"encoding/binary"

	"github.com/varve-log/varve/kafka"
)

// Marker is the kind of a control record.
type Marker int16

// The control records that Kafka's message format defines. LeaderChange is written at the start of
// a leader's epoch by KRaft's metadata log alone (KIP-595); readers of data meet and skip it.
const (
	Abort        Marker = 0
	Commit       Marker = 1
	LeaderChange Marker = 2
)

// NewMarker makes the control batch that ends a producer's transaction (KIP-98): key version and
// kind, value version and the coordinator's epoch.
func NewMarker(m Marker, id kafka.ProducerID, epoch int16, coordinatorEpoch int32,
	ts kafka.Timestamp,
) Batch {
	b := NewBuilder(None)
	b.SetProducer(id, epoch, kafka.NoSequence)
	key := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(m))
	value := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(coordinatorEpoch))
	b.Append(ts, key, value)
	return b.assemble(attrTransactional|attrControl, b.records)
}

// NewLeaderChange makes the control batch with which a KRaft leader begins its epoch: version,
// leader, voters and who of them granted the vote, in the flexible encoding of LeaderChangeMessage
// version 0.
func NewLeaderChange(leader int32, voters []int32, ts kafka.Timestamp) Batch {
	b := NewBuilder(None)
	value := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(leader))
	for range 2 { // the voters, then those that granted
		value = binary.AppendUvarint(value, uint64(len(voters))+1)
		for _, v := range voters {
			value = append(binary.BigEndian.AppendUint32(value, uint32(v)), 0)
		}
	}
	key := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(LeaderChange))
	b.Append(ts, key, append(value, 0))
	return b.assemble(attrControl, b.records)
}

// ParseMarker reads the kind and the coordinator's epoch of a control record. False for control
// records of other kinds.
//
// Only records of batches with IsControl are control records.
func ParseMarker(r Record) (m Marker, coordinatorEpoch int32, ok bool) {
	if len(r.Key) < 4 || len(r.Value) < 6 {
		return 0, 0, false
	}
	m = Marker(binary.BigEndian.Uint16(r.Key[2:]))
	return m, int32(binary.BigEndian.Uint32(r.Value[2:])), m == Abort || m == Commit
}
