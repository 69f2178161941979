package checkpoint

import (
	"cmp"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// Bounds of a ledger.
const (
	// EntriesMax is how many partitions a ledger names.
	EntriesMax = 128
	// PartsMax is how many parts a partition's checkpoint has at most.
	PartsMax = 1024
	// LedgerPartsMax bounds the parts of all entries together, and so the head to a few MiB.
	LedgerPartsMax = 16 << 10
	// EpochsMax is how many of the newest leader epochs an entry keeps; the parts know the others.
	EpochsMax = 32
	// RetiredMax bounds the list of objects that nothing needs any more; beyond it the oldest are
	// forgotten, which only delays their deletion.
	RetiredMax = 1024
	// PartSourceMax is how many bytes of the log one part is made from, unless one batch has more.
	PartSourceMax = 32 << 20
)

// Ref says in which ledger a partition's checkpoint is.
type Ref struct {
	Agent  int32 `json:"agent"`
	Number int32 `json:"ledger"`
}

// Object names an object of a ledger: who wrote it, and the how manieth of that incarnation it is.
type Object struct {
	Incarnation int64 `json:"inc"`
	Sequence    int64 `json:"seq"`
}

// Compare orders objects by age.
func (o Object) Compare(b Object) int {
	return cmp.Or(cmp.Compare(o.Incarnation, b.Incarnation), cmp.Compare(o.Sequence, b.Sequence))
}

// Stored is an object that entries need.
type Stored struct {
	Object
	Bytes  int64  `json:"bytes"`
	CRC32C uint32 `json:"crc32c"`
}

// Retired is an object that no entry needs any more.
type Retired struct {
	Object
	// At is when that came to be, by the store's clock.
	At kafka.Timestamp `json:"at"`
}

// Part is the compaction of the offsets [BaseOffset, NextOffset) of a log: a sealed segment at
// [Position, Position+Bytes()) of an object.
type Part struct {
	Object
	Position    int64 `json:"at"`
	DataBytes   int64 `json:"data"`
	FooterBytes int64 `json:"footer"`
	// CRC32C is the Castagnoli checksum of data and footer.
	CRC32C     uint32       `json:"crc32c"`
	BaseOffset kafka.Offset `json:"base"`
	NextOffset kafka.Offset `json:"next"`
	Records    int64        `json:"records"`
	// SourceBytes is how much log it was made from.
	SourceBytes int64 `json:"source"`
}

// Bytes is the size of data and footer.
func (p Part) Bytes() int64 { return p.DataBytes + p.FooterBytes }

// Range is [BaseOffset, NextOffset).
func (p Part) Range() kafka.OffsetRange {
	return kafka.OffsetRange{Base: p.BaseOffset, Next: p.NextOffset}
}

// Entry is the checkpoint of one partition.
type Entry struct {
	Topic     kafka.TopicID `json:"topic"`
	Partition int32         `json:"partition"`
	// TopicName is for people who look into the bucket.
	TopicName string `json:"topic_name,omitempty"`
	// LeaderEpoch is the lowest that may save: that of the leader that did so last.
	LeaderEpoch kafka.LeaderEpoch `json:"epoch"`
	// SavedAt is when the newest part was named, by the store's clock.
	SavedAt kafka.Timestamp `json:"saved_at"`
	// Epochs is the history of leader epochs below the end, the newest EpochsMax.
	Epochs []kafka.EpochStart `json:"epochs,omitempty"`
	Parts  []Part             `json:"parts"`
}

// TP names the partition.
func (e Entry) TP() kafka.TopicPartition {
	return kafka.TopicPartition{Topic: e.Topic, Partition: e.Partition}
}

// StartOffset is where the first part begins.
func (e Entry) StartOffset() kafka.Offset {
	if len(e.Parts) == 0 {
		return 0
	}
	return e.Parts[0].BaseOffset
}

// EndOffset is exclusive: what is saved of the log ends there. 0: nothing is.
func (e Entry) EndOffset() kafka.Offset {
	if len(e.Parts) == 0 {
		return 0
	}
	return e.Parts[len(e.Parts)-1].NextOffset
}

// Bytes is the size of all parts.
func (e Entry) Bytes() int64 {
	var n int64
	for _, p := range e.Parts {
		n += p.Bytes()
	}
	return n
}

// Records is the number of records in all parts.
func (e Entry) Records() int64 {
	var n int64
	for _, p := range e.Parts {
		n += p.Records
	}
	return n
}

// Ledger names the checkpoints of some partitions of one agent. It is a value: edits return a new
// one and its slices are never changed in place.
type Ledger struct {
	Ref
	// Incarnation of the agent is the lowest that may still edit.
	Incarnation int64 `json:"incarnation"`
	// Entries ascend by topic id and partition.
	Entries []Entry `json:"entries,omitempty"`
	// Objects are those that parts lie in, by age.
	Objects []Stored `json:"objects,omitempty"`
	// Retired are those that no sweep has deleted, in the order in which they retired.
	Retired []Retired `json:"retired,omitempty"`
	// ForgottenAt is when Retired last was full and forgot some; 0: never. Objects that are not listed
	// may have been in use until then.
	ForgottenAt kafka.Timestamp `json:"forgotten_at,omitempty"`
}

// New is a ledger without entries.
func New(ref Ref) Ledger { return Ledger{Ref: ref} }

// Entry finds a partition's checkpoint.
func (l Ledger) Entry(tp kafka.TopicPartition) (Entry, bool) {
	i, ok := l.find(tp)
	if !ok {
		return Entry{}, false
	}
	return l.Entries[i], true
}

func (l Ledger) find(tp kafka.TopicPartition) (int, bool) {
	return slices.BinarySearchFunc(l.Entries, tp, func(e Entry, tp kafka.TopicPartition) int {
		return compareTP(e.TP(), tp)
	})
}

func compareTP(a, b kafka.TopicPartition) int {
	return cmp.Or(slices.Compare(a.Topic[:], b.Topic[:]), cmp.Compare(a.Partition, b.Partition))
}

// Stored finds an object that parts lie in.
func (l Ledger) Stored(o Object) (Stored, bool) {
	i, ok := slices.BinarySearchFunc(l.Objects, o, func(s Stored, o Object) int {
		return s.Compare(o)
	})
	if !ok {
		return Stored{}, false
	}
	return l.Objects[i], true
}

// RetiredAt tells since when an object is retired.
func (l Ledger) RetiredAt(o Object) (kafka.Timestamp, bool) {
	for _, r := range l.Retired {
		if r.Object == o {
			return r.At, true
		}
	}
	return 0, false
}

// HasRoom tells whether another partition fits.
func (l Ledger) HasRoom() bool { return len(l.Entries) < EntriesMax }
