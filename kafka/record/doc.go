// Package record is a view on a record batch v2: it reads, checks and patches the bytes that a
// producer sent where they lie, without copying or encoding them again.
//
// agent/api validates with it, agent/hotlog writes base offset and leader epoch into batches and
// finds their borders, segment indexes them, replay and query walk their records. compaction/keys
// makes batches of some of another's records (Rewriter).
//
// A Batch aliases the caller's memory, and records alias the batch or, where it is compressed, a
// pooled buffer that lives until Iterator.Close.
//
// Invariants: V5 (the only bytes changed are base offset, leader epoch and, for LogAppendTime, the
// attributes, max timestamp and CRC), V10 (what a compressed batch inflates to is bounded by
// Limits).
//
// Concurrency: reads of a batch may run at once; patching needs the caller's exclusion. An Iterator
// belongs to one goroutine.
//
// Failure: every error wraps a sentinel of errors.go. No input panics.
//
// Not here: sequences of batches on disk (agent/hotlog, segment), and the older message formats,
// which Kafka 4 refuses too (KIP-724).
package record
