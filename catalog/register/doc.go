// Package register is the compare-and-set head: one object under one fixed key of a bucket, swapped
// with If-Match and created with If-None-Match: *.
//
// The catalog's cluster state and every partition's manifest hang on such a head. The package knows
// nothing of what a head's body means; it calls internal/objstore and is called by package catalog.
//
// # Outcomes
//
// A Swap ends in one of three ways, each with its own error: done (nil), ErrConflict (surely lost:
// read again, think again) and ErrUnknownOutcome (the write may have happened or may still land:
// Settle before anything else is believed). Every attempt carries a commit id that no other attempt
// has, and a head lists the ids of its last RecentMax commits; so whoever gets a 412 or no reply
// reads the head and looks for its own id before it believes that it lost. Absence of the id proves
// the loss only once the head's ETag differs from the one the attempt expected. Any other error of
// a Swap means that nothing was written.
//
// # Format
//
// JSON: {"format", "min_writer", "version", "commit", "recent", "body"}. A reader ignores fields
// that it does not know and refuses a higher format; a writer refuses a head whose min_writer is
// above the format it speaks (ErrFormat). A head whose body is null was written to settle a lost
// creation and means: nothing was committed yet.
//
// # Invariants
//
// The version of a head rises by exactly one with every write. Since each write holds a new commit
// id, no two writes have the same bytes, and an ETag never comes back.
//
// # Concurrency
//
// A Register has no state of its own and may be used from any goroutine.
//
// # Not here
//
// Retrying an edit on the newest state (package catalog), fencing by epochs (catalog/manifest).
// DESIGN.md holds the reasoning and the rejected options.
package register
