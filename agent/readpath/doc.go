// Package readpath answers a fetch from wherever the records lie: the hot log on local disk, the
// range cache, or the bucket.
//
// agent/partition calls it for every fetch and for offsets by time. It reads agent/hotlog directly,
// sealed segments by tiering/replay (sequential readers) or by tiering/cache (others), and finds
// them by the partition's manifest.
//
// A fetch at or above the local log start offset is hot: whole batches are copied into pooled
// buffers. Below, it is cold. A cold fetch that goes on where another ended belongs to a sequential
// reader: it gets a cursor, which reads ahead in large ranges across the borders of segments, past
// the cache, and hands its memory out without copying. Any other cold fetch reads the blocks that
// it needs through the cache and leaves a mark where it ended.
//
// # Invariants
//
// V3 is the caller's: nothing at or above Request.Until is returned. V5: cold answers are the same
// bytes as hot ones; every cold byte was held against the segment's block checksums. V10:
// Config.ColdFetchesMax, ColdBytesMax and CursorsMax bound cold reads; hot reads wait for none of
// them.
//
// # Concurrency
//
// A Reader is safe for concurrent use. A cursor is owned by one fetch at a time. Fetch blocks its
// caller for cold records: whoever serves many partitions calls it from a goroutine for each. When
// ctx ends the fetch returns, while fills and reading ahead go on for the next try.
//
// # Failure
//
// A segment released between two looks is read cold, one expired meanwhile is ErrOffsetOutOfRange,
// an object that is gone makes the manifest be read again. What is corrupt is ErrCorrupt and names
// the object.
//
// # Not here
//
// High watermarks and long polls (agent/partition, agent/api), deciding what is released (tiering).
package readpath
