// Package replay reads records straight from the bucket: by offset or by time, for any partitions,
// without asking an agent of the cluster for anything.
//
// cmd/varve's replay, query and agent/readpath (for cold fetches) call it. It asks a Manifest,
// which catalog implements, which objects hold a range, takes footers from tiering/cache, and
// streams the objects by parallel ranged GETs past every cache, reading ahead across the borders of
// segments.
//
// An Iterator is pulled: each Next gives a Run, the whole batches of one chunk of one segment, byte
// for byte as they were produced. What a consumer keeps it retains; memory is reused once all is
// released. Position is where to go on after an interruption.
//
// # Invariants
//
// V5: a Run holds the bytes that a hot read would have given. V10: an Iterator holds at most
// 2 * Config.Parallel + 2 chunks, whatever it reads, and what the consumer has not released.
//
// # Concurrency
//
// A Reader is safe for concurrent use; an Iterator and its Runs belong to one goroutine at a time,
// except that Runs may be released anywhere.
//
// # Failure
//
// Every byte is held against the block checksums of the footer before it is given out. A block that
// differs is got once more; if it still differs the error is a *CorruptError that names the object,
// its position and the offsets. An object that is not there makes the head be read again: if the
// manifest has moved on (retention, compaction) so does the iterator, by offset; if not it is a
// *MissingError. With Options.SkipCorrupt both are counted and passed over: a bad block costs the
// batches from it to the next index entry, a missing object or footer its whole segment.
//
// # Not here
//
// What is in a batch (kafka/record), the object's format (segment), random reads and the seam to
// the hot log (agent/readpath), output formats (cmd/varve).
package replay
