// Package compat holds tests of Kafka clients against a whole agent: a real listener, log, sealer
// and bucket in a directory. It has no code of its own. `go test ./bench/compat` runs them.
//
// Each test walks what its client is used for: every codec, null keys and values, headers, reading
// by offset and by time, and reading from the beginning of a topic whose first segments are sealed
// and released from the local disk, so that the read crosses from the bucket to the disk.
//
// The clients. kcat is the old one (librdkafka 2.0.2): its test says in one line that it is skipped
// where kcat is not installed, and fails instead under CI=true. franz-go speaks as clients of every
// age since Kafka 0.11, one ceiling on the versions after another. docs/compatibility.md tells what
// else was tried by hand, against the agent and against Apache Kafka side by side.
//
// Not here: single handlers and codes are tested in agent/api; throughput in bench/compare.
package compat
