// Connect runs Kafka Connect in distributed mode and copies a file through a topic into another file.
// `make connect` runs it on an agent; it needs Java and Maven.
//
// One worker keeps connectors, offsets and states in its three internal topics. A file source writes
// lines into a topic in transactions (exactly.once.source.support), a file sink writes them out. Lines
// are appended to the input before, while and after the worker is stopped and started again, and then
// its process is killed and started once more.
//
// After the restart in order the output must equal the input, byte by byte. After the kill the topic
// must hold every line once and in order under read_committed, and the output every line in order; the
// sink may repeat lines that it had written and not yet committed, as file sinks do on Kafka too.
// Connectors are created once: the worker must find them again in its topics.
//
// With -lose-disk the worker lives and the agent loses its disk, when the first part is through and
// everything is sealed or in a checkpoint. Connectors, offsets and every line are there afterwards.
//
// With -bootstrap it runs against a broker that is there already, such as Apache Kafka.
package main
