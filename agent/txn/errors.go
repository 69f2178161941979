package txn

import "errors"

// Refusals of transitions. agent/api gives each its Kafka code.
var (
	// ErrInvalidTransactionalID: the transactional id is empty.
	ErrInvalidTransactionalID = errors.New("transactional id is empty")
	// ErrInvalidTimeout: the transaction timeout is not positive or above transaction.max.timeout.ms.
	ErrInvalidTimeout = errors.New("invalid transaction timeout")
	// ErrTwoPhaseDisabled: two-phase commit was asked for and is not enabled.
	ErrTwoPhaseDisabled = errors.New("two-phase commit is not enabled")
	// ErrKeepPrepared: keeping a prepared transaction was asked for, which no version of Kafka does yet.
	ErrKeepPrepared = errors.New("keeping prepared transactions is not supported")
	// ErrConcurrentTransactions: the id is in the middle of a change. Ask again after a pause.
	ErrConcurrentTransactions = errors.New("concurrent transactions")
	// ErrProducerFenced: a newer instance of the producer took over the transactional id.
	ErrProducerFenced = errors.New("producer fenced")
	// ErrInvalidProducerIDMapping: the transactional id is not known, or has another producer id.
	ErrInvalidProducerIDMapping = errors.New("producer id does not belong to the transactional id")
	// ErrInvalidTxnState: the transaction cannot end this way in the state it is in.
	ErrInvalidTxnState = errors.New("invalid transaction state")
	// ErrAbortable: a partition is not part of the transaction; the producer should abort it.
	ErrAbortable = errors.New("partition is not in the transaction")
	// ErrNotFound: no such transactional id.
	ErrNotFound = errors.New("transactional id not found")
	// ErrNeedsProducerID: the transition needs a new producer id and was given none. Call GiveProducerID
	// before it.
	ErrNeedsProducerID = errors.New("a new producer id is needed")
	// ErrTooManyIDs: the partition holds as many transactional ids as it may.
	ErrTooManyIDs = errors.New("too many transactional ids")
	// ErrTooManyPartitions: the transaction's record would be larger than a record may be.
	ErrTooManyPartitions = errors.New("too many partitions in one transaction")
	// ErrInvalidPattern: the pattern of a listing is not a regular expression.
	ErrInvalidPattern = errors.New("invalid regular expression")
	// ErrUnknownFormat: a record of the log is in no format that this version knows.
	ErrUnknownFormat = errors.New("unknown record format")
)
