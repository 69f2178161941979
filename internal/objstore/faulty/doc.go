// Package faulty wraps any objstore.Store and makes it fail on demand: by rule (this operation,
// that key prefix, the nth time), by the number of the call, or at random from a seed.
//
// Tests of whatever touches the bucket use it in three ways. They add a Rule to stage one failure;
// they run once quietly, read Calls, and run again for each call and each fault that Faults lists
// for its operation, with FailCall; or they switch Random on and print the seed when they fail.
// Without rules it passes everything through and only records.
//
// # Faults
//
// Each stands for something that real stores and networks do; see the constants of Fault. What a
// caller is told is what the real stores of this repository tell it after the same event, so a
// reset is ErrUnknownOutcome to a conditional Put and ErrUnavailable to everything else.
//
// # Concurrency
//
// One mutex guards rules and records; it is not held while the wrapped store works. Late writes
// land when the test says so (Land), or by themselves after LandAfter further calls, on the
// goroutine of that call.
//
// # Not here
//
// Storage. Timing beyond a Rule's fixed Delay.
package faulty
