// Package sink is the floor under every broker on a machine: it reads frames from sockets, takes a
// CRC32C of each, writes it to a file and acknowledges it. There is no protocol beyond that, no
// index, no state.
//
// bench/compare runs it as a process of its own beside Varve and Kafka, with the same client and
// the same requests: what a broker uses above the sink is its own, what the sink uses is the
// machine's.
//
// A frame is a Kafka request: a size of four bytes, then as many bytes, the correlation id four
// bytes after their start. The acknowledgement is the correlation id with its size.
//
// # Concurrency
//
// One goroutine and one file per connection; the file is removed when the connection ends.
//
// # Not here
//
// fsync: the brokers are measured without it, too.
package sink
