package txn

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// The versions of Kafka's record schemas. valueVersion is what transaction.version 1 and above writes.
const (
	keyVersion      = 0
	valueVersion    = 1
	valueVersionMax = 1
)

// encodeKey makes the record key of a transactional id.
func encodeKey(id string) []byte {
	k := kmsg.NewTxnMetadataKey()
	k.Version, k.TransactionalID = keyVersion, id
	return k.AppendTo(nil)
}

// encode makes the record of an id's state.
func encode(id string, m *metadata) coordinator.Record {
	v := kmsg.NewTxnMetadataValue()
	v.Version = valueVersion
	v.ProducerID, v.ProducerEpoch = int64(m.producer.ID), m.producer.Epoch
	v.PreviousProducerID, v.NextProducerID = int64(m.previousID), int64(m.nextID)
	v.TimeoutMillis = m.timeoutMs
	v.State = kmsg.TransactionState(m.state)
	v.LastUpdateTimestamp, v.StartTimestamp = int64(m.updated), int64(m.started)
	v.ClientTransactionVersion = int16(m.version)
	if m.state != Empty { // null for Empty, as Kafka writes it
		v.Topics = make([]kmsg.TxnMetadataValueTopic, 0, len(m.partitions))
	}
	for _, p := range m.partitions.sorted() {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != p.Topic {
			t := kmsg.NewTxnMetadataValueTopic()
			t.Topic = p.Topic
			v.Topics = append(v.Topics, t)
		}
		last := &v.Topics[len(v.Topics)-1]
		last.Partitions = append(last.Partitions, p.Partition)
	}
	return coordinator.Record{Key: encodeKey(id), Value: v.AppendTo(nil)}
}

// decodeKey reads the transactional id of a record.
func decodeKey(key []byte) (string, error) {
	if v, ok := versionOf(key); !ok || v != keyVersion {
		return "", fmt.Errorf("%w: key version %d", ErrUnknownFormat, v)
	}
	k := kmsg.NewTxnMetadataKey()
	if err := k.ReadFrom(key); err != nil {
		return "", fmt.Errorf("%w: key: %w", ErrUnknownFormat, err)
	}
	return k.TransactionalID, nil
}

// decode reads the state that a record holds.
func decode(value []byte) (metadata, error) {
	if v, ok := versionOf(value); !ok || v < 0 || v > valueVersionMax {
		return metadata{}, fmt.Errorf("%w: value version %d", ErrUnknownFormat, v)
	}
	v := kmsg.NewTxnMetadataValue()
	if err := v.ReadFrom(value); err != nil {
		return metadata{}, fmt.Errorf("%w: value: %w", ErrUnknownFormat, err)
	}
	state := State(v.State)
	if state < Empty || state > CompleteAbort {
		return metadata{}, fmt.Errorf("%w: state %d", ErrUnknownFormat, v.State)
	}
	m := metadata{
		producer:   coordinator.Producer{ID: kafka.ProducerID(v.ProducerID), Epoch: v.ProducerEpoch},
		previousID: kafka.ProducerID(v.PreviousProducerID),
		nextID:     kafka.ProducerID(v.NextProducerID),
		timeoutMs:  v.TimeoutMillis, state: state,
		started: kafka.Timestamp(v.StartTimestamp), updated: kafka.Timestamp(v.LastUpdateTimestamp),
		version: Version(v.ClientTransactionVersion),
	}
	if state == Empty {
		return m, nil
	}
	for _, t := range v.Topics {
		for _, p := range t.Partitions {
			m.partitions = m.partitions.with(Partition{t.Topic, p})
		}
	}
	return m, nil
}

func versionOf(b []byte) (int16, bool) {
	if len(b) < 2 {
		return -1, false
	}
	return int16(binary.BigEndian.Uint16(b)), true
}
