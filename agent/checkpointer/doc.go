// Package checkpointer saves compacted logs in the bucket while they are led, and gives them back to
// a start that has lost them.
//
// package agent gives each partition that it leads to a Checkpointer as a Log. What is saved, and
// where it is named, is catalog/checkpoint's; the Checkpointer decides when, builds the parts with
// compaction/keys and segment, puts several partitions into one object, and swaps one ledger.
// Restore reads an entry back for agent/hotlog. docs/rfcs/0002-checkpoints-of-compacted-logs.md
// holds the reasoning.
//
// # Invariants
//
// Only what is below the last stable offset is saved. V4: each swap carries the agent's incarnation
// and each entry its leader epoch, so that a process that was replaced saves nothing more. An object
// is checked in the store before a ledger names it. V7: what a ledger stops needing is listed there
// until a sweep has deleted it. V10: Config.LedgersMax ledgers and one large log are saved at once,
// each with an object and a part of about 32 MiB, twice that while they grow, and a map of
// Config.KeysBytesMax; Restore holds one part a partition, RestoresMax at once.
//
// # Concurrency
//
// All methods are safe for concurrent use. Run owns one goroutine that looks at memory every
// Config.ScanInterval, and starts rounds; a log too large for a round is saved beside them. The lock
// is never held over a call of a Log or of the store. Nothing here is on the path of an append.
//
// # Failure
//
// A round that fails leaves what was saved before, and an object that the next sweep deletes; it is
// tried again after a pause that doubles up to Config.RetryPauseMax. A log that a newer process has
// fenced is never saved again by this one. Damage in one log is that log's failure alone. A bucket
// that is away for hours costs nothing but the age of what is unsaved, which is a metric.
//
// # Not here
//
// What survives a compaction (compaction/keys), cleaning of the local log (agent/hotlog), the
// deletion of objects (compaction/gc).
package checkpointer
