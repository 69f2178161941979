// Package wire is a Kafka client as lean as one can be: a connection, Produce requests written
// around batches where they lie, fetches that alias one reused buffer, and the few requests needed
// around them.
//
// bench/load drives brokers with it. It exists because a benchmark's client shares the machine with
// the broker: whatever the client does is taken from what is measured, so it must cost little and
// the same against every broker.
//
// The versions are those that every Kafka since 3.5 and Varve serve, with topics by name: Produce
// 11, Fetch 12.
//
// # Concurrency
//
// A Conn belongs to one goroutine, except that Send and Receive may run in two: that is how
// requests are pipelined.
//
// # Failure
//
// Every error is final for the connection: nothing is retried, since a retry would hide what a
// benchmark is there to show.
//
// # Not here
//
// Groups, transactions, compression, retries, several topics in one request: use a client library.
package wire
