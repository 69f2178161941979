// Mirror copies a topic and its groups' offsets from a real Apache Kafka with MirrorMaker 2 and compares
// both ends. `make mirror` copies into an agent; it needs Java and Maven.
//
// The source is a broker of Apache Kafka that it starts. Its topic is written in transactions, of which
// every fourth is aborted, so that offsets differ at the two ends: the markers and the aborted records
// have no copy. Two groups commit offsets there: one in the middle, one at the end.
//
// It passes when every partition of the copy has the same keys, values, headers and timestamps in the
// same order, when the topic's settings and number of partitions came over, and when MirrorMaker's
// checkpoints gave both groups offsets at the target (sync.group.offsets.enabled): the exact end for
// the one, and for the other an offset that leaves nothing out, since MirrorMaker translates towards
// the beginning. Records written after that still come over.
//
// With -bootstrap the target is a broker that is there already, such as another Apache Kafka.
package main
