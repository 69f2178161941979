// Package txn is the transaction coordinator of one partition of __transaction_state: which producer id
// and epoch a transactional id has, which partitions its transaction touched, and how it ends.
//
// agent/coordinate drives one Machine for each partition; package agent carries out its Actions, which
// write markers and fetch producer ids, and brings the results back as transitions. agent/api calls it
// through the Transactions interface.
//
// # Invariants
//
// The producer epoch of a producer id never goes back; a producer id that was replaced never comes
// again. A transaction whose end was decided (PrepareCommit, PrepareAbort) ends that way: whatever
// happens, markers are asked for until every partition has one or is gone, and only then is the end
// complete. While it lasts, nothing else happens to the transactional id.
//
// # Format
//
// Records are Kafka's TransactionLogKey version 0 and TransactionLogValue version 1 (version 0 is read
// too). What they do not hold, the epoch before the last bump, is forgotten by a restart, as in Kafka.
//
// # Differences from Kafka
//
// Records are applied when they are asked for and not when they are committed, and replies wait for the
// commit: two requests for one transactional id are answered in order where Kafka answers the second
// with CONCURRENT_TRANSACTIONS. A partition added while the last transaction still ends waits for that
// up to Config.ConcurrentWait, which Kafka's brokers poll for.
//
// # Bounds
//
// Transactional ids per partition, partitions of a transaction by the size of its record, waiting
// requests per id, and the tombstones of one expiration are bounded by the constants in machine.go.
//
// # Not here
//
// Markers in data partitions and the check that a batch belongs to a transaction (agent/hotlog), the
// wire (agent/api), the driver (agent/coordinate).
package txn
