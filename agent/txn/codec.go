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
	r := reader{b: key[2:]}
	id := r.text()
	return id, r.done("key")
}

// decode reads the state that a record holds.
func decode(value []byte) (metadata, error) {
	v, ok := versionOf(value)
	if !ok || v < 0 || v > valueVersionMax {
		return metadata{}, fmt.Errorf("%w: value version %d", ErrUnknownFormat, v)
	}
	r := reader{b: value[2:], flexible: v >= 1}
	m := metadata{previousID: kafka.NoProducerID, nextID: kafka.NoProducerID}
	m.producer = coordinator.Producer{ID: kafka.ProducerID(r.int64()), Epoch: r.int16()}
	m.timeoutMs = r.int32()
	m.state = State(r.int8())
	for n := r.count(2); n > 0; n-- {
		topic := r.text()
		for k := r.count(4); k > 0; k-- {
			m.partitions = m.partitions.with(Partition{topic, r.int32()})
		}
		r.tags(func(uint64, *reader) {})
	}
	m.updated, m.started = kafka.Timestamp(r.int64()), kafka.Timestamp(r.int64())
	r.tags(func(tag uint64, value *reader) {
		switch tag {
		case 0:
			m.previousID = kafka.ProducerID(value.int64())
		case 1:
			m.nextID = kafka.ProducerID(value.int64())
		case 2:
			m.version = Version(value.int16())
		}
	})
	if m.state < Empty || m.state > CompleteAbort {
		return metadata{}, fmt.Errorf("%w: state %d", ErrUnknownFormat, m.state)
	}
	if m.state == Empty {
		m.partitions = nil
	}
	return m, r.done("value")
}

func versionOf(b []byte) (int16, bool) {
	if len(b) < 2 {
		return -1, false
	}
	return int16(binary.BigEndian.Uint16(b)), true
}
