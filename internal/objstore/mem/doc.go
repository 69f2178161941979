// Package mem is a bucket in this process's memory: for tests, demos and `mem://name`.
//
// Objects are immutable byte slices, so a Get neither copies nor locks after it has found its
// object. A Put copies its body, as there is nowhere else to keep it. Stores opened under the same
// name in one process share their objects; they are gone with the process.
//
// # Concurrency
//
// One read-write lock guards the index. Conditional puts are linearizable.
//
// # Not here
//
// Faults and delays (faulty). Bounds: what is put stays in memory until it is deleted.
package mem
