// Package partition is one partition's replica on this agent: its hot log, the leader epoch it leads
// in, the high watermark, and the manifest of what is sealed, behind the one face that agent/api
// calls (api.Partition) and the one that tiering calls (tiering.Log).
//
// package agent opens a Partition for each partition that the catalog lets this agent lead, and
// closes it when that ends.
//
// # Invariants
//
// V2, V3: the high watermark only grows; records above it are not readable. With flush.messages=1 it
// is what is flushed, otherwise what is written, since this replica is the whole ISR. V6: a local
// segment goes only by tiering's Release. V8: fetches cross from the manifest to the log without a
// gap; the log start offset is committed in the manifest before it is answered.
//
// # Concurrency
//
// All methods are safe for concurrent use. An append takes no lock of this package unless someone
// waits: waiters and subscribers are counted first. Callbacks run without a lock held.
//
// # Failure
//
// Every error is one of api's sentinels, wrapping its cause. After the log failed (a lost sync, a
// write that could not be undone) appends answer api.ErrStorage until the agent is started again.
//
// # Not here
//
// Validation of batches (agent/api, kafka/record), bytes on disk (agent/hotlog), cold reads
// (agent/readpath), who leads (catalog/cluster).
package partition
