// Package segment is the sealed form of a log segment: the record batches byte for byte as they lie
// in the hot log, then a footer that makes the object readable on its own.
//
// tiering computes a footer with Seal and uploads data and footer as one object; tiering/replay,
// agent/readpath and query read ranges of it with the help of a Footer; Verify checks a whole
// object.
//
// # Format
//
// FORMAT.md is enough to write a reader in another language; testdata/read_segment.py is one.
//
// # Invariants
//
// V5: a sealed object never changes, and its data bytes are those of hot reads. The format of a
// golden file in testdata is read for ever.
//
// # Concurrency
//
// Seal and Verify use only what they are given. A Footer is immutable and may be shared.
//
// # Failure
//
// Bytes that break the format are ErrCorrupt, whatever they are: every length is held against what
// is there before memory is taken for it. A newer format is ErrFormat.
//
// # Not here
//
// Which segments exist (catalog/manifest), local segment files and their indexes (agent/hotlog).
package segment
