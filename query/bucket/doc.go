// Package bucket is the table.Source over a bucket: topics from the cluster state, segments from
// partition manifests, batches by tiering/replay.
//
// It is called by cmd/varve, which hands the source to query. It reads only; it needs no agent.
//
// A source sees the cluster state as of Open and each partition's manifest as of the first look
// at it. Rows are those of a read_committed consumer: control batches and aborted transactions
// are left out. With ReadUncommitted aborted transactions are in; control batches never are.
//
// Concurrency: a Source is safe for concurrent use.
//
// Failure: errors of the store, and replay's, which name the object.
package bucket
