package driver

import (
	"context"
	"time"
)

// Header is one header of a record. A nil Value is null.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record as written or as read. A nil Key or Value is null.
type Record struct {
	Partition int32
	Offset    int64
	Timestamp time.Time
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Produce asks for records to be written to their partitions, in order, and acknowledged.
type Produce struct {
	Topic   string
	Records []Record
	// Codec is none, gzip, snappy, lz4 or zstd.
	Codec      string
	Idempotent bool
	// BatchRecords is about how many records a batch shall hold; 0 for the library's own choice.
	BatchRecords int
	// BytesMax is the client's own limit for a record or request; 0 for the library's own.
	BytesMax int
}

// Read asks for N records of a partition from an offset on.
type Read struct {
	Topic     string
	Partition int32
	From      int64
	N         int
	// Committed reads with read_committed, otherwise read_uncommitted.
	Committed bool
	// Wait ends the reading when no record came for so long after the first, with what there is.
	Wait time.Duration
	// FetchBytes is the limit of one partition in a fetch; 0 for the library's own.
	FetchBytes int
}

// Codes of errors that a scenario waits for.
const (
	CodeExists   = "topic already exists"
	CodeTooLarge = "record too large"
	CodeFenced   = "fenced"
)

// Special timestamps of OffsetFor.
const (
	Latest   = -1
	Earliest = -2
)

// Client is what every library can do.
type Client interface {
	// Create makes a topic with one replica.
	Create(ctx context.Context, topic string, partitions int, settings map[string]string) error
	// Produce writes, and returns the offset of the last record.
	Produce(ctx context.Context, p Produce) (int64, error)
	// Read returns records in the order in which they came.
	Read(ctx context.Context, r Read) ([]Record, error)
	// OffsetFor is the first offset whose timestamp in milliseconds is as late, or -1. Latest and
	// Earliest are understood too.
	OffsetFor(ctx context.Context, topic string, partition int32, timestamp int64) (int64, error)
	// Partitions returns how many partitions a topic has, and how many of them have a leader. A topic
	// that is not there has 0.
	Partitions(ctx context.Context, topic string) (partitions, led int, err error)
	// Code sorts an error: one of the codes, or "".
	Code(err error) string
	// Member is one consumer of a group until ctx ends.
	Member(ctx context.Context, m Member, e *Events) error
}

// Transaction is a transactional producer.
type Transaction interface {
	Begin(ctx context.Context) error
	// Send writes records to a topic and waits for them.
	Send(ctx context.Context, topic string, records []Record) error
	// Offset adds an offset of a group to the transaction.
	Offset(ctx context.Context, group, topic string, partition int32, offset int64) error
	Commit(ctx context.Context) error
	Abort(ctx context.Context) error
	Close()
}

// Transactional libraries have transactions.
type Transactional interface {
	// Transact initializes a transactional producer.
	Transact(ctx context.Context, id string) (Transaction, error)
}

// Admin libraries have calls to administrate. Each of them may be Absent.
type Admin interface {
	Topics(ctx context.Context) ([]string, error)
	Settings(ctx context.Context, topic string) (map[string]string, error)
	Alter(ctx context.Context, topic, name, value string) error
	AddPartitions(ctx context.Context, topic string, total int) error
	DeleteRecords(ctx context.Context, topic string, partition int32, before int64) error
	DeleteTopic(ctx context.Context, topic string) error
	// Commit stores an offset of a group that has no members.
	Commit(ctx context.Context, at GroupOffset) error
	// Committed returns the Offset that belongs to the other fields; -1 for none.
	Committed(ctx context.Context, at GroupOffset) (int64, error)
	Groups(ctx context.Context) ([]string, error)
	// Describe returns a group's state, and how many members it has.
	Describe(ctx context.Context, group string) (state string, members int, err error)
	DeleteGroup(ctx context.Context, group string) error
}

// GroupOffset is a committed offset.
type GroupOffset struct {
	Group, Topic string
	Partition    int32
	Offset       int64
}

// Absent is the error of a call that a library does not have. It says what is missing.
type Absent string

// Error says it as the report does.
func (a Absent) Error() string { return "no " + string(a) }
