// Package broker is the Kafka listener: connections, frames, request headers and the order of
// answers. It knows API keys and versions as numbers and nothing of topics.
//
// A connection has one goroutine that reads frames and calls the Handler for each, in order. The
// handler answers with Request.Respond, at once or later, from any goroutine, in any order; answers
// leave in the order of the requests. An answer given inside Handle while none is due before it is
// written by the reading goroutine itself; all others are written by a second goroutine that lives
// only while answers are due, and as many as are ready leave in one write.
//
// Bytes: a frame is read straight into one pooled buffer that belongs to the request until its
// answer is given. Buffers of all connections together are bounded by Config.RequestBytesMax.
//
// Invariants: V10. Connections, connections per IP, frame size, request bytes in flight, pipelined
// requests per connection, the time for a frame to arrive, for a write to be taken and for a
// connection to be idle all have bounds in Config.
//
// Concurrency: a Server's methods may be called from any goroutine. Per connection the lock order
// is conn.mu only; the handler is never called with it held.
//
// Failure: what breaks the framing or a header closes the connection and is counted by reason; the
// server and its other connections go on.
//
// Not here: the meaning of requests and error codes (agent/api), TLS, SASL and quotas.
package broker
