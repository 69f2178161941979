// Package hotlog keeps the hot part of one partition on local disk: append, read, roll, truncate,
// flush, recover.
//
// A Log is a directory of segment files that hold record batches byte for byte as the producer sent
// them, with offset and leader epoch patched into the header. agent/partition owns the log and is
// the only one that appends, truncates and resets; agent/readpath reads; tiering takes rolled
// segments away (Rolled, OpenSegment, Release); agent/clean has those of compacted topics rewritten
// (Cleanable, Clean). It calls internal/vfs for files, kafka/record for headers and compaction/keys
// for what survives a cleaning.
//
// # Invariants
//
// V2: offsets are dense, or ascending in what was cleaned; a record that FlushedOffset or a process
// crash covers keeps its bytes. V6 is the caller's: Release drops what it is told to. V10: open
// files are bounded by the FileSet shared by all logs, bytes on disk by the Budget, memory by one
// partial index page and the producer states per log; nothing grows with rolled history but about
// 100 bytes per segment.
//
// # Concurrency
//
// All methods are safe for concurrent use. Appends, rolls and changes are serialised by one mutex
// per log; reads take no lock that an append or a sync holds. Work behind the append path (sync,
// what a roll leaves to do, checkpoints) runs in one goroutine per log that lives only while there
// is work. Lock order: clean (never waited for), work, view, mu.
//
// # Failure
//
// A failed append leaves nothing visible: the file is cut back to its old end. Where that fails
// too, or a sync fails, the log takes no more appends (ErrFailed) until it is opened again. A crash
// at any line leaves a directory that Open recovers; DESIGN.md goes through the lines, FORMAT.md
// has the file formats.
//
// # Not here
//
// The high watermark and leadership (agent/partition), sealed history (tiering), checks of a
// producer's batches (kafka/record's Validate, called before Append).
package hotlog
