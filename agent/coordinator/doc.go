// Package coordinator is the vocabulary of Varve's coordinators: what a pure state machine that keeps
// its state in a partition of an internal topic is given, and what it asks for.
//
// agent/group and agent/txn are such machines, one value for each partition of __consumer_offsets and
// __transaction_state. agent/coordinate drives them: it loads a machine from its partition's log, calls
// its transitions one at a time, appends the records that they ask for, and delivers replies once those
// are committed. So a coordinator is wherever its partition's leader is, and moves with it.
//
// # Invariants
//
// State that outlives a restart is changed by Replay only: a transition makes records and applies them
// by the same code that a load runs, so that what a restart finds is what was answered. A reply leaves
// after all records that were asked for before it are committed: nobody acts on what may be undone.
//
// # Failure
//
// Where records cannot be appended the driver drops the machine and loads it again; whoever waits for a
// reply gets ErrNotCoordinator and asks again. A machine never sees half of its records applied.
//
// # Concurrency
//
// A Machine is used by one goroutine at a time and starts none; it has no clock and does no I/O.
//
// # Not here
//
// Driving and loading (agent/coordinate), the protocols themselves (agent/group, agent/txn), the wire
// (agent/api).
package coordinator
