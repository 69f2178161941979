// Package manifest is the value that says what of one partition is sealed: which objects hold which
// offsets, where the log starts, how far sealed data is verified, and which leader epoch may edit.
//
// It is pure: no I/O, no clock, no goroutine. Package catalog loads and swaps heads and pages;
// tiering, readpath, replay and query read entries; compaction/gc sweeps by it.
//
// # Shape
//
// A Head is small and swapped as a whole. It holds the newest entries (the tail) inline; older ones
// are in immutable pages of up to Limits.PageEntries entries, and references to full pages move on
// into index pages. So one segment among a million is two pages away from the head. Every PageRef
// carries offset bounds, timestamp bounds and a running maximum timestamp.
//
// # Invariants
//
// V5: an entry never changes. V6: VerifiedEnd is at most SealedEnd, and only it allows a release.
// V7: what the head stops needing is listed with the time (by the store's clock) until a sweep is
// done. V8: entries are dense from the log start offset to SealedEnd; a hole may exist only below
// the log start offset. An edit by a leader epoch below FenceEpoch is ErrFenced; an edit by a
// higher one raises it, so that a new leader's first edit fences in the same swap. Once Deleted,
// every edit is ErrDeleted.
//
// # Edits
//
// Edits are methods on the Head value that return a new Head or the reason to refuse. They never
// change the receiver, and repeating one that was already done returns the head as it is.
//
// # Format
//
// The head is the JSON body of a register; pages are gzip of JSON. Field names are the struct tags.
// A decoder ignores fields that it does not know and refuses a higher "format".
//
// # Not here
//
// Swapping and retrying (package catalog), what lies inside an object (segment), local offsets.
package manifest
