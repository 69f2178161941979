// Package datadir owns an agent's data directory: who may use it, which disk it is, and what the
// last run left behind.
//
// package agent opens it before anything else. It gives the disk its uuid on first use, keeps a lock
// while the agent runs (two agents on one directory would interleave appends), remembers the highest
// cluster version seen (the floor, design section 5: a restored old bucket must not repeat epochs
// unnoticed), and tells whether the last run may have lost written data.
//
// # Layout
//
//	lock                            held with flock for the life of the process
//	identity.json                   disk uuid, agent id, cluster id, floor, boot id, clean-stop marker
//	partitions/<topic id>-<n>/      one hot log each (agent/hotlog)
//	quarantine/<name>-<random>/     logs that contradict themselves, moved away, never deleted
//	cache/                          ranges of the bucket (tiering/cache); may be deleted at any time
//
// # Failure
//
// identity.json is replaced by write, fsync, rename, fsync of the directory, so that a crash leaves
// the old or the new one. A file that cannot be read is an error that names it: guessing an identity
// could repeat a leader epoch (V4).
//
// # Concurrency
//
// Dir is safe for concurrent use.
//
// # Not here
//
// The logs themselves (agent/hotlog), and what the cluster knows of this disk (catalog/cluster).
package datadir
