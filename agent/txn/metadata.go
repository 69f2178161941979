package txn

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// Version is the transaction protocol that a client speaks: 0 stands for everything before KIP-890's
// second part, 2 bumps the epoch at each end.
type Version int16

// The versions that records hold.
const (
	Version0 Version = 0
	Version2 Version = 2
)

// Partition names a partition as the log's records do, by the topic's name.
type Partition struct {
	Topic     string
	Partition int32
}

// partitionSet is a set of partitions. It is never changed once it is part of a metadata value.
type partitionSet map[Partition]struct{}

func (s partitionSet) with(p Partition) partitionSet {
	if s == nil {
		s = partitionSet{}
	}
	s[p] = struct{}{}
	return s
}

// plus is the union, a new set.
func (s partitionSet) plus(ps []Partition) partitionSet {
	out := make(partitionSet, len(s)+len(ps))
	maps.Copy(out, s)
	for _, p := range ps {
		out[p] = struct{}{}
	}
	return out
}

func (s partitionSet) hasAll(ps []Partition) bool {
	for _, p := range ps {
		if _, ok := s[p]; !ok {
			return false
		}
	}
	return true
}

// sorted lists the set by topic and number.
func (s partitionSet) sorted() []Partition {
	return slices.SortedFunc(maps.Keys(s), func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

// bytes is about what the set takes in a record.
func (s partitionSet) bytes() int {
	n := 0
	for p := range s {
		n += len(p.Topic) + 8
	}
	return n
}

// metadata is what the log holds of one transactional id. It is a value: a transition makes a new one.
type metadata struct {
	producer   coordinator.Producer
	previousID kafka.ProducerID // before the last transition
	nextID     kafka.ProducerID // what an ending transaction's producer id is replaced by, or none
	timeoutMs  int32
	state      State
	partitions partitionSet
	started    kafka.Timestamp // of the transaction, or NoTimestamp
	updated    kafka.Timestamp
	version    Version
}

// epochExhausted reports an epoch after which a producer needs a new id. The last one is kept for
// fencing.
func epochExhausted(epoch int16) bool { return epoch >= math.MaxInt16-1 }

// to begins a transition: everything stays but what the caller changes.
func (m *metadata) to(s State) metadata {
	next := *m
	next.state = s
	next.previousID = m.producer.ID
	return next
}

// reinit is what InitProducerId leaves: no transaction.
func (m *metadata) reinit(p coordinator.Producer, timeoutMs int32, now kafka.Timestamp) metadata {
	next := m.to(Empty)
	next.producer, next.timeoutMs = p, timeoutMs
	next.partitions, next.started, next.updated = nil, kafka.NoTimestamp, now
	return next
}

// add makes partitions part of the transaction, which they begin if there is none.
func (m *metadata) add(ps []Partition, v Version, now kafka.Timestamp) metadata {
	next := m.to(Ongoing)
	next.partitions = m.partitions.plus(ps)
	if m.state.idle() {
		next.started = now
	}
	next.updated, next.version = now, v
	return next
}

// prepare decides how the transaction ends. With version 2 the epoch is bumped, so that markers fence
// what the producer sent before; nextID replaces the producer id if the epoch is exhausted by that.
func (m *metadata) prepare(commit bool, v Version, nextID kafka.ProducerID, now kafka.Timestamp,
) metadata {
	next := m.to(PrepareAbort)
	if commit {
		next.state = PrepareCommit
	}
	if v >= Version2 && m.producer.Epoch < math.MaxInt16 {
		next.producer.Epoch++
	}
	if m.state.idle() { // an abort of nothing, which only version 2 allows
		next.started = now
	}
	next.nextID, next.updated, next.version = nextID, now, v
	return next
}

// complete ends an ending transaction.
func (m *metadata) complete(now kafka.Timestamp) metadata {
	next := m.to(CompleteAbort)
	if m.state == PrepareCommit {
		next.state = CompleteCommit
	}
	if m.version >= Version2 && m.nextID != kafka.NoProducerID {
		next.producer = coordinator.Producer{ID: m.nextID}
	}
	next.nextID, next.partitions, next.updated = kafka.NoProducerID, nil, now
	return next
}

// deadline is when a running transaction has run out of time; false: it never does (KIP-939).
func (m *metadata) deadline() (kafka.Timestamp, bool) {
	if m.state != Ongoing || m.timeoutMs == math.MaxInt32 {
		return 0, false
	}
	return m.started + kafka.Timestamp(m.timeoutMs), true
}
