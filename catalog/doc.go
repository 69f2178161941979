// Package catalog says what exists: the cluster state and the partition manifests, kept in
// compare-and-set heads and immutable objects of the bucket that holds the data.
//
// Agents open a Catalog: they read, commit changes of the cluster state and edit the manifests of
// partitions that they lead. Everyone else (replay, query, the command line) opens a Reader, which
// never writes. The values are pure and live in catalog/cluster and catalog/manifest, the head in
// catalog/register; this package is their I/O: loading, retries, group commit, caches, fsck.
//
// # Invariants
//
// V9: a state is adopted only as the fold of committed deltas. V5-V8 are the manifest's. An agent
// never adopts a head with a lower version than it or its disk saw (Floor), nor one of another
// cluster: a restored old bucket must not repeat epochs unnoticed.
//
// # Concurrency
//
// All methods may be called from any goroutine. Commits that arrive while one is under way share
// the next one. Edits of one partition queue up, different partitions do not wait for each other.
// Lock order: commit, then view; edit of a partition, then its view. States and heads are immutable
// values.
//
// # Failure
//
// ErrConflict never leaves this package but after CommitTries losses in a row. ErrUnknownOutcome
// does when the store could not say, within the time allowed, what became of a write: it may have
// landed, or may still land, so whatever depends on it must look at the newest state before it goes
// on. A crash leaves at most objects that no head names, which compaction/gc sweeps. Bounds:
// QueueMax waiting commits, PageCacheEntriesMax entries in cached pages, LoadParallel reads at once
// per load, and one head in memory per partition asked for.
//
// # Request cost
//
// Opening: the head, then deltas and pages in parallel. A commit: one PUT, two when the deltas have
// outgrown the head. A partition: 1 GET to open, up to 2 more to find one of a million segments, 1
// PUT to edit, and every 64 segments one more GET and PUT for a page.
//
// # Not here
//
// Deleting objects (compaction/gc), uploads (tiering), who should lead (agent/placement).
package catalog
