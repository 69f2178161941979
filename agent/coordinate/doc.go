// Package coordinate drives coordinators: a Shards runs one coordinator.Machine for each partition of an
// internal topic that this agent leads.
//
// package agent makes a Shards for groups and one for transactions, tells them which partitions it
// leads (Lead, Resign), and asks them on behalf of the api handlers. A shard loads its machine from the
// partition's log, then runs one transition at a time, appends the records that it asks for, and
// delivers its replies and actions when these are committed.
//
// # Invariants
//
// The rules of package coordinator: no reply leaves before everything appended by then is committed, and
// after an append that failed the machine is thrown away and loaded again. A load reads from the log
// start offset to the log end offset as it was when the shard was given the lead: what a new leader
// finds in its log may be committed.
//
// # Concurrency
//
// All methods are safe for concurrent use. A shard's mutex is held while a transition runs and while
// its records are appended to the local disk, never while anyone waits. Replies and actions are
// delivered without it. Lock order: Shards.mu, then shard.mu, then the locks of the partition.
//
// # Failure
//
// A log that cannot be read is tried again after a pause that doubles, until the lead is resigned;
// askers get coordinator.ErrLoading meanwhile. Records in no known format are logged, counted and
// skipped.
//
// # Not here
//
// The machines (agent/group, agent/txn), who leads (agent, catalog/cluster), error codes (agent/api).
package coordinate
