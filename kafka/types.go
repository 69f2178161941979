package kafka

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Offset is a record's position in its partition, counted from 0. Bounds called Next or End, the log
// end offset, the high watermark and the last stable offset are exclusive; BaseOffset and LastOffset
// are inclusive.
type Offset int64

// NoOffset says that there is no offset. On the wire the protocol writes it as -1.
const NoOffset Offset = -1

// String is the decimal form.
func (o Offset) String() string { return strconv.FormatInt(int64(o), 10) }

// OffsetRange is half-open: [Base, Next).
type OffsetRange struct {
	Base Offset `json:"base"`
	Next Offset `json:"next"`
}

// Empty reports whether no offset lies in the range.
func (r OffsetRange) Empty() bool { return r.Next <= r.Base }

// Contains reports whether o lies in [Base, Next).
func (r OffsetRange) Contains(o Offset) bool { return r.Base <= o && o < r.Next }

// String prints the range as [base,next).
func (r OffsetRange) String() string { return fmt.Sprintf("[%d,%d)", r.Base, r.Next) }

// LeaderEpoch counts the leaders of one partition; every election raises it. It is 0 or more, or
// NoLeaderEpoch.
type LeaderEpoch int32

// NoLeaderEpoch says that the epoch is not known, as -1 does on the wire.
const NoLeaderEpoch LeaderEpoch = -1

// EpochStart says that a leader epoch wrote its first record at StartOffset.
type EpochStart struct {
	Epoch       LeaderEpoch `json:"epoch"`
	StartOffset Offset      `json:"start"`
}

// Timestamp is milliseconds since the Unix epoch, UTC, or NoTimestamp.
type Timestamp int64

// NoTimestamp says that a record or a range has no timestamp, as -1 does on the wire.
const NoTimestamp Timestamp = -1

// Time is the same instant as a time.Time in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// TimestampOf truncates tm to milliseconds.
func TimestampOf(tm time.Time) Timestamp { return Timestamp(tm.UnixMilli()) }

// ProducerID identifies a producer session for idempotence and transactions, or NoProducerID.
type ProducerID int64

// Values of a producer that is not idempotent.
const (
	NoProducerID    ProducerID = -1
	NoProducerEpoch int16      = -1
	NoSequence      int32      = -1
)

// TopicID is a topic's identity for life (KIP-516): a topic deleted and created again under its name
// has another. The zero value is no topic.
type TopicID [16]byte

// String is Kafka's text form, 22 characters of URL-safe base64 without padding.
func (id TopicID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// Hex is the form used in object keys and directory names: 32 lower-case hex digits, which sort and
// never begin with '-'.
func (id TopicID) Hex() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id names no topic.
func (id TopicID) IsZero() bool { return id == TopicID{} }

// MarshalText writes the hex form, so that JSON objects name topics as object keys do.
func (id TopicID) MarshalText() ([]byte, error) { return []byte(id.Hex()), nil }

// UnmarshalText reads the hex form or Kafka's base64 form.
func (id *TopicID) UnmarshalText(text []byte) error {
	parsed, err := ParseTopicID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseTopicID reads the hex form or Kafka's base64 form.
func ParseTopicID(s string) (TopicID, error) {
	var id TopicID
	var raw []byte
	var err error
	switch len(s) {
	case hex.EncodedLen(len(id)):
		raw, err = hex.DecodeString(s)
	case base64.RawURLEncoding.EncodedLen(len(id)):
		raw, err = base64.RawURLEncoding.DecodeString(s)
	default:
		err = fmt.Errorf("want 32 hex digits or 22 base64 characters, have %d", len(s))
	}
	if err != nil {
		return id, fmt.Errorf("topic id %q: %w", s, err)
	}
	copy(id[:], raw)
	return id, nil
}

// TopicPartition names one partition of one incarnation of a topic.
type TopicPartition struct {
	Topic     TopicID
	Partition int32
}

// String is <topic id in hex>/<partition>.
func (tp TopicPartition) String() string {
	return tp.Topic.Hex() + "/" + strconv.Itoa(int(tp.Partition))
}
