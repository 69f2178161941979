// Package cache keeps ranges of sealed objects on the local disk, and parsed footers in memory, so
// that what many readers ask for is got from the bucket once.
//
// agent/readpath reads cold ranges through a Cache; tiering/replay takes footers from Footers. Both
// call the bucket through internal/objstore and nothing else.
//
// An object is immutable and its key is never used again, so a cached block never becomes stale: it
// is only evicted. Objects are cut into aligned blocks of Config.BlockBytes. A block is filled by
// one GET, however many ask for it at once, and the fill belongs to the cache: a caller whose
// context ends stops waiting, while the block still arrives for the next one. The file holds a
// fixed number of slots, evicted in CLOCK order (a second chance for what was read since the hand
// last passed).
//
// # Invariants
//
// V10: the disk is bounded by Config.BytesMax, memory by Config.FillsMax blocks under way and one
// checksum per 64 KiB cached; footers are bounded by FooterConfig.BytesMax.
//
// # Concurrency
//
// Everything here is safe for concurrent use. No lock is held over disk or network.
//
// # Failure
//
// The cache starts empty: the file is emptied on New, so nothing a crash left in it is ever read.
// Every page read back is held against a checksum taken as it arrived; a page that differs is
// dropped and got again. A disk that refuses writes makes the cache smaller, not wrong: the fill is
// served from memory.
//
// # Not here
//
// Sequential scans do not come here: tiering/replay streams them past the cache. Which bytes of an
// object are worth reading is decided by tiering/replay and agent/readpath; what the bytes mean, by
// segment.
package cache
