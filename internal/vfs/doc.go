// Package vfs is the little of a file system that Varve's local state needs, as an interface, so
// that a test can lose power, fill the disk or fail a sync at any call.
//
// agent/hotlog and whoever keeps files in the data directory call it. OS is the real disk; Mem is a
// crashable memory disk; Faulty wraps any of them and fails by rule.
//
// # What survives
//
// A process crash loses nothing that WriteAt returned for. A power loss keeps what was synced: file
// bytes by File.Sync or File.SyncData, names (creations, renames, removals) by SyncDir of their
// directory. What was not synced may survive whole, torn or not at all, in any order. Mem models
// just this: CrashClone gives one of the disks that a power loss may leave behind, chosen by seed,
// and ProcessCrashClone the one that a killed process leaves behind.
//
// # Failure
//
// Errors wrap the os and syscall errors they came from, so errors.Is with fs.ErrNotExist works. A
// full disk or an exhausted quota is also ErrDiskFull. A write that fails may have written a
// prefix; whoever writes cuts it back.
//
// # Concurrency
//
// An FS and its files are safe for concurrent use. Two handles on one file see each other's writes.
//
// # Not here
//
// Bounding of open files (agent/hotlog's FileSet) and the lock on the data directory
// (agent/datadir).
package vfs
