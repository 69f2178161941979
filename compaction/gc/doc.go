// Package gc sweeps the bucket: it deletes objects that the catalog does not need and never will,
// by a plan that can be looked at first.
//
// The agent runs a Sweeper now and then, `varve catalog gc` runs one on a stopped cluster. It calls
// package catalog for what exists, and the store to list and delete.
//
// # What is deleted
//
//   - Segments that expired, and pages that newer ones replaced, once the grace time since has
//     passed by the store's clock. They are found in the heads, without listing anything.
//   - Segments and pages that were never committed: those of a leader epoch below the manifest's
//     fence epoch, by anyone; those of the present epoch only by that epoch's own leader, when it
//     has nothing in flight under that name. A leader fences first when it finds older ones.
//   - Objects of checkpoints that newer ones replaced, once the grace time has passed, and those that
//     no ledger ever named: by their incarnation as the above by their leader epoch.
//   - All objects of topics deleted longer than the grace time ago; then the topic is forgotten.
//   - Snapshots and deltas of the cluster state that were replaced, or that the head's version has
//     passed without naming them.
//   - What a probe of the store left behind.
//
// # Invariants
//
// V7. Objects are listed first and heads read after, so what was listed and is not referred to was
// not committed when it was listed; the epoch rule says that it never will be. The present leader's
// objects are asked for in flight before its head is read again: what was not in flight then and is
// not in the head will never be.
//
// # A stopped cluster
//
// Without a leader to ask, what an epoch that is not fenced uploaded stays pending. Options.Stopped
// lets the sweep fence every partition that has such objects at its leader epoch + 1, the epoch in
// which the next start leads anyway, and ledgers at the agent's incarnation + 1. If the cluster is
// not stopped after all, its leaders are fenced: they stop sealing, and nothing is lost.
//
// # Failure
//
// A sweep may be ended at any point and run again. Deleting twice is no error. Memory is bounded:
// one page of the listing, one partition's expired entries of a page at a time.
//
// Not here: what expires (tiering), what an object is (catalog.Census).
package gc
