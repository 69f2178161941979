package coordinator

import (
	"time"

	"github.com/varve-log/varve/kafka"
)

// Token names who waits for a reply. The driver gives one to a transition; the machine may answer it in
// the same transition, or keep it and answer in a later one. Each is answered once at most.
type Token uint64

// Record is a record of an internal topic, in Kafka's own format.
type Record struct {
	Key []byte
	// Value is nil for a tombstone.
	Value []byte
}

// Producer is the transaction that records belong to.
type Producer struct {
	ID    kafka.ProducerID
	Epoch int16
}

// Stored is a record as it was read back.
type Stored struct {
	Record
	Offset    kafka.Offset
	Timestamp kafka.Timestamp
	// Transactional says that the record counts once Producer's transaction commits.
	Transactional bool
	Producer      Producer
}

// Reply answers a token: Value, of the type that the transition documents, or Err, one of the sentinels
// of the machine's package.
type Reply struct {
	To    Token
	Value any
	Err   error
}

// Effects is what a transition asks for. The zero value asks for nothing.
type Effects struct {
	// Records are appended as one batch, whole or not at all.
	Records []Record
	// Transaction, if not nil, makes the batch part of a producer's transaction: its records were given
	// to the machine's Replay as Transactional and count once ReplayEnd says so.
	Transaction *Producer
	// Marker, if not nil, is appended after Records: the end of a transaction on this very partition.
	Marker *Marker
	// Replies are delivered in order once everything appended so far is committed.
	Replies []Reply
	// Actions are carried out by the machine's owner, outside of the machine, once everything appended
	// so far is committed; their results come back as transitions. Their types are the machine's.
	Actions []any
}

// Marker ends a transaction.
type Marker struct {
	Producer         Producer
	CoordinatorEpoch int32
	Commit           bool
	// Version is the transaction version (KIP-890): from 2 on the marker's epoch is above that of the
	// transaction it ends.
	Version int16
}

// And adds what another transition asks for.
func (e *Effects) And(more Effects) {
	e.Records = append(e.Records, more.Records...)
	e.Replies = append(e.Replies, more.Replies...)
	e.Actions = append(e.Actions, more.Actions...)
	if more.Transaction != nil {
		e.Transaction = more.Transaction
	}
	if more.Marker != nil {
		e.Marker = more.Marker
	}
}

// Answer adds a reply with a value.
func (e *Effects) Answer(to Token, value any) {
	e.Replies = append(e.Replies, Reply{To: to, Value: value})
}

// Refuse adds a reply with an error.
func (e *Effects) Refuse(to Token, err error) {
	e.Replies = append(e.Replies, Reply{To: to, Err: err})
}

// Machine is what the driver needs of a coordinator of one partition. The transitions that requests
// cause are methods of the concrete types, of the form
//
//	func (m *Machine) Join(now time.Time, to coordinator.Token, q JoinRequest) coordinator.Effects
type Machine interface {
	// Replay takes in one record of the log, in the order of offsets. An error says that the record is
	// in no format this version knows; the driver logs it, counts it and goes on, as Kafka does.
	Replay(r Stored) error
	// ReplayEnd takes in a marker: the transactional records of p count now, or never will.
	ReplayEnd(p Producer, commit bool)
	// Loaded is called once, after the last record of the log: deadlines begin.
	Loaded(now time.Time) Effects
	// Due is when Tick is to be called next; the zero time: not until another transition.
	Due() time.Time
	// Tick does what is due by now.
	Tick(now time.Time) Effects
}
