// Package clean decides which compacted log is cleaned next, and has it cleaned.
//
// package agent runs one Cleaner over the partitions that it leads. A Cleaner asks each of them how
// dirty it is (agent/partition, agent/hotlog) and lets the dirtiest be rewritten, by Kafka's rules:
// its dirty share is above min.cleanable.dirty.ratio, or its oldest dirty record is older than
// max.compaction.lag.ms. What survives is package compaction/keys' affair.
//
// Retention of topics with both policies is tiering's, as of all topics.
//
// # Invariants
//
// V10: at most log.cleaner.threads logs are cleaned at once; the memory for their keys is bounded by
// log.cleaner.dedupe.buffer.size over all of them (half as much again while a table grows), taken as
// it is needed and given back when there is nothing to do; what they read and write together stays
// below log.cleaner.io.max.bytes.per.second.
//
// # Concurrency
//
// Run owns one scheduler and a goroutine for each cleaning. The rest may be called from anywhere.
//
// # Failure
//
// A log that cannot be cleaned, for it is corrupt or one batch has more keys than there is memory
// for, is left alone until it is opened again; a metric counts them. A full disk, or a change under a
// cleaning, lets the log wait for the next look.
package clean
