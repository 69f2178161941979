package api

import (
	"context"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

// Transactions are the transaction coordinators of this agent, and the markers that end transactions.
// Errors of all that asks a coordinator: those of packages txn and coordinator, or ctx's.
type Transactions interface {
	// InitProducerID gives a transactional id its producer id and epoch.
	InitProducerID(ctx context.Context, q txn.InitProducerID) (coordinator.Producer, error)
	// AddPartitions makes partitions part of a transaction.
	AddPartitions(ctx context.Context, q txn.AddPartitions) error
	// VerifyPartitions answers for each partition whether it is part of a transaction.
	VerifyPartitions(ctx context.Context, q txn.VerifyPartitions) ([]error, error)
	// EndTransaction commits or aborts, and gives the producer that goes on.
	EndTransaction(ctx context.Context, q txn.End) (coordinator.Producer, error)
	// DescribeTransaction tells of one transactional id.
	DescribeTransaction(ctx context.Context, id string) (txn.Description, error)
	// ListTransactions lists the transactional ids of all coordinators here. coordinator.ErrLoading:
	// some are not loaded yet.
	ListTransactions(f *txn.Filter) ([]txn.Listing, error)
	// WriteMarker ends a transaction in one partition that this agent leads, and returns once the marker
	// is committed. For a partition of __consumer_offsets its group coordinator applies or drops the
	// offsets of the transaction. Errors: ErrUnknownTopic, ErrUnknownPartition, and those of Append.
	WriteMarker(ctx context.Context, p txn.Partition, m coordinator.Marker) error
}

// TransactionLog is what a partition's log knows of transactions.
type TransactionLog interface {
	// BeginVerification is asked before a producer's transactional batch is appended, with its first
	// sequence number. 0: the transaction is open in this partition, append at once. Otherwise its
	// coordinator is to be asked, and the guard shown to Append. bumps is for producers of transaction
	// version 2. ErrInvalidProducerEpoch: a newer instance wrote already.
	BeginVerification(
		id kafka.ProducerID, epoch int16, sequence int32, bumps bool,
	) (guard uint64, err error)
	// CheckTransaction says whether a coordinator's append to a producer's transaction would be taken
	// now: ErrInvalidProducerEpoch, ErrInvalidTxnState.
	CheckTransaction(p coordinator.Producer, guard uint64) error
	// CheckMarker says whether a marker would be taken now: ErrInvalidProducerEpoch,
	// ErrCoordinatorFenced.
	CheckMarker(m coordinator.Marker) error
	// Producers lists what is known of the producers, by id.
	Producers() []ProducerState
}

// ProducerState is what a partition knows of a producer.
type ProducerState struct {
	Producer         coordinator.Producer
	LastSequence     int32           // or NoSequence
	LastTimestamp    kafka.Timestamp // of its newest batch or marker
	CoordinatorEpoch int32           // of its newest marker, or -1
	TxnFirstOffset   kafka.Offset    // of its open transaction, or NoOffset
}
