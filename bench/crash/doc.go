// Command crash kills a varve agent again and again under load and checks that nothing acked is
// lost.
//
//	crash -varve bin/varve -rounds 200 [-seed N]
//
// Idempotent producers write with acks=all while small segments are sealed, verified and released.
// Each round lasts a random moment, then the agent gets kill -9 (now and then SIGTERM, and now and
// then another disk after an orderly stop, an empty one or one used before) and is started again.
// After each round the new records are consumed and held against what was acked: every acked record
// is there at its offset, none is there twice, offsets are dense (V1, V2, V8). Every few rounds
// everything is read again from the start, across the seam. At the end the bucket is swept once and
// checked: nothing may be left over (V7).
//
// A round that fails prints its seed and keeps the directories. With -seed the same moments are chosen
// again; the operating system's own scheduling is not part of the seed.
package main
