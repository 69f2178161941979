// Package footprint gives memory back to the system that a process needed only to start.
//
// The binary links SQL, two S3 SDKs and more; their static initialisers touch tens of megabytes of the
// binary's code and constants once. These pages are the page cache's and clean, but they count as
// resident until the kernel runs short. package agent calls this once it is ready.
//
// Failure: an error means that nothing, or not everything, was given back; the process is as well as
// before. On systems other than Linux nothing is done.
//
// Not here: the heap, which the Go runtime returns by itself.
package footprint
