// Package file keeps a bucket in a directory: the default store of a single agent, and of tests
// that want several processes on one store without a server.
//
// # Format
//
// An object is a plain file at <root>/<key> with exactly the object's bytes; its CRC32C is in the
// extended attribute user.varve.crc32c where the file system takes one. `.varve/tmp` under the root
// holds uploads in progress and `.varve/locks` the files that processes lock. A key cannot be both
// an object and the prefix of another up to a slash, since a name cannot be both file and
// directory.
//
// # ETags
//
// Inode, size and modification time in nanoseconds, which a Put sets itself and makes greater than
// that of the object it replaces: so an ETag is never used twice for a key, whatever the content.
//
// # Concurrency
//
// Writes are linearizable per key, also between processes: each Put and Delete holds one of 64
// flocks, chosen by the key's hash, from its check to its rename. Locks are not held while bodies
// are written or synced. Readers take none: an open file outlives its replacement.
//
// # Failure
//
// A Put writes a temporary file, syncs it, renames it and syncs the directory before it returns:
// after a power loss the object is there whole or not at all. Temporary files hold a lock of their
// own while somebody writes them; what a crash left is removed by the next Open. A Delete is not
// synced: a power loss may undo it. A full disk is ErrUnavailable.
//
// # Not here
//
// Network file systems without flock, nanosecond times or close-to-open consistency: unsafe.
package file
