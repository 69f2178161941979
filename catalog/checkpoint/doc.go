// Package checkpoint is the value that says which objects hold the checkpoints of compacted logs: a
// ledger names those of up to EntriesMax partitions of one agent.
//
// It is pure: no I/O, no clock, no goroutine. Package catalog loads and swaps ledgers;
// agent/checkpointer fills them and restores from them; compaction/gc sweeps by them.
// docs/rfcs/0002-checkpoints-of-compacted-logs.md holds the reasoning.
//
// # Shape
//
// An Entry is one partition's checkpoint: parts, each the compaction of a range of the log, in a row
// from the first part's base to the last one's next offset. A part is a sealed segment (package
// segment) at a position of an object that it shares with others. Records are dropped from a part
// only where the same part holds a newer one, so that the parts in a row are a log with gaps.
//
// # Invariants
//
// Parts of an entry are dense and ascending, and lie within objects that the ledger lists. An edit
// by an incarnation below the ledger's, or a save by a leader epoch below the entry's, is ErrFenced;
// a higher one raises them in the same swap. V7: an object that no part needs any more is listed as
// retired, with the time by the store's clock, until a sweep has deleted it.
//
// # Edits
//
// Edits are methods on the Ledger value that return a new one or the reason to refuse. They never
// change the receiver. Plan decides what a save makes anew.
//
// # Format
//
// The JSON body of a register; field names are the struct tags. A decoder ignores fields that it
// does not know and refuses a higher "format".
package checkpoint
