// Package api answers Kafka requests: one file per API key, each only translating between the wire
// and a call of the agent. It is the only place that knows Kafka's error codes; codes.go is the one
// table that gives each sentinel error its code.
//
// The broker calls Handler.Handle on a connection's reading goroutine, in the order of the
// requests. Produce appends there and then, so a connection's appends keep their order; its
// answer may come later (acks=all). A fetch that has to wait, or needs the bucket, goes on in a
// goroutine of its own, of which the broker bounds the number per connection; its records are
// read when its answer is due. All other requests are answered before the next one of their
// connection is read, as Kafka does, though they may wait for the bucket: each such wait has a
// bound in time.
//
// What the handlers need of the agent is the Backend interface in backend.go.
//
// Invariants: V3 (a fetch never reads past the high watermark or, read_committed, the last stable
// offset) and V10 (a request's arrays are bounded by its own bytes, fetched bytes by a budget).
//
// Concurrency: a Handler has no mutable state but metrics and the fetch budget; all methods may be
// called at once.
//
// Failure: a request that cannot be decoded closes its connection, as Kafka does; everything else
// is answered with an error code and, where the version has room, a sentence.
//
// Not here: framing, order of answers, connection limits (agent/broker); appends and reads
// (agent/partition); the settings' names and bounds (kafka/settings).
package api
