// Package tiering takes rolled segments into the bucket: roll by age, upload, commit, verify,
// release; and it applies retention to both tiers.
//
// agent/partition gives each partition that it leads to a Sealer as a Log, and tells it when a
// segment was rolled. The Sealer calls segment for the sealed form, internal/objstore to upload it,
// and the Log's Manifest (package catalog) to commit.
//
// A segment's way, in order: it is wholly below the last stable offset; its sealed form is computed
// in one pass over the local file and uploaded from that file, never copied whole into memory; one
// manifest edit adds it (and fences older leader epochs, and records what was verified before it);
// the store is asked for the object's size and checksum; the verified end moves past it with the
// next edit; local retention may then release the local copy. That is one PUT for the object and
// one or two for the manifest.
//
// # Invariants
//
// V5: only segments wholly below the last stable offset are sealed, and an object is written once.
// V6: release stays below the manifest's verified end, or below the log start offset. V8: segments
// are sealed in order, each beginning where the sealed part ends. V10: Config.UploadsMax segments
// are under way at once; a partition has one at most.
//
// # Concurrency
//
// All methods of Sealer are safe for concurrent use. Run owns one scheduler, which looks at
// partitions when they are due and touches memory and local disk only, and UploadsMax workers,
// which alone wait for the bucket. Nothing polls the bucket: an idle partition costs one look at
// memory every Config.ScanInterval. The Sealer's lock is never held over a call of a Log.
//
// # Failure
//
// Any error leaves the partition to be tried again after a pause that doubles up to
// Config.RetryPauseMax; other partitions go on. A crash at any line loses no progress but the
// segment under way: what was uploaded and not committed is an orphan that compaction/gc sweeps,
// and the segment is sealed again under a fresh name; what was committed and not verified is
// verified. After an edit with unknown outcome the manifest decides. A fenced leader stops.
//
// # Not here
//
// The deletion of expired objects (compaction/gc), cold reads (tiering/replay, agent/readpath).
package tiering
