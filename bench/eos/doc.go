// Command eos checks exactly-once: consume, transform, produce, while everything is killed.
//
//	eos -varve bin/varve -seeds 20 [-seed N] [-time 2m] [-kill 20s]
//
// A feeder writes numbered records to a topic. Four workers, each a process of its own with a
// transactional id of its own, consume them as one group and produce each to another topic, in
// transactions that hold the group's offsets too. Now and then a worker aborts on purpose, with records
// that must never be seen. Workers get kill -9 at random moments, the agent every 20 s, and are started
// again; small segments are sealed and released all the time.
//
// After the time of a seed the workers drain what was fed. Then every record must be in the output
// exactly once under read_committed and none of an aborted transaction, read by a Kafka client across
// both tiers, and read by `varve replay` from the bucket alone; and the group's offsets must be the end
// of the input.
//
// A seed that fails is printed and its directory kept. With -seed the same moments are chosen again; the
// operating system's own scheduling is not part of the seed.
package main
