// Streams runs a stateful Kafka Streams application, kills it twice in mid-stream, and compares what it
// wrote with what it had to write. `make streams` runs it on an agent; it needs Java and Maven.
//
// The application (src/, Java) joins a stream of orders with a table of users, counts the result in
// windows, keeps both in RocksDB with changelog topics, and processes exactly once. The orders are
// written while it runs. When a third of them is through, its process is killed and started again on
// the state that it left; when two thirds are through, it is killed once more and its state directory
// deleted, so that it restores everything from the changelogs.
//
// The result is exact when every order was joined once, and the counts of every window run from one to
// the number of its orders without a gap and without a repetition. Both topics are read with
// read_committed.
//
// With -lose-disk the application lives and the agent loses its disk, when half of the orders are
// through and everything is sealed or in a checkpoint: nothing may be missing or doubled then either.
// The application's own state is deleted after that, so that it comes from what the agent restored.
//
// With -bootstrap it runs against a broker that is there already, such as Apache Kafka.
package main
