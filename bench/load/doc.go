// Package load puts a measured load on a broker: records produced as fast as it takes them or at a
// fixed rate, and records fetched as fast as it gives them.
//
// bench/compare and the command line's bench verbs run it against Varve, Apache Kafka and the bare
// sink of bench/sink alike.
//
// # What is measured
//
// Bytes are those of record values; where batches are encoded before the clock starts, they are
// the batches' own. The clock runs from the first byte sent to the last acknowledgement.
//
// A paced load has no coordinated omission: each record is due at a fixed time of a schedule, its
// latency counts from then however late the client or broker is, and a client that falls behind
// sends what is due at once.
//
// Encoded load is meant to cost the client little: one pass that copies values from a slab into
// the batch inside the request, one CRC32C, one write to the socket, no allocation per batch.
//
// # Concurrency
//
// Each connection has a writer and a reader goroutine and a partition of its own; between them is
// a bounded queue of requests in flight. Functions return when all of them have ended.
//
// # Failure
//
// The first error of any request ends the run. There are no retries: a run that needed one
// measured something else.
//
// # Not here
//
// Starting brokers, CPU time, tables (bench/compare). Producing data that matters (cmd/varve).
package load
