// Package reconcile takes the members of a consumer group from what they read now to what the group's
// target assignment gives them (KIP-848), without a partition ever being read by two.
//
// agent/group calls Next at each heartbeat of a member that is not where the target wants it. A member
// first gives up what it is to lose, stays in its epoch until its client says that it did, moves to the
// target's epoch then, and is given what nobody holds any more. What is still held by others follows as
// they let go of it.
//
// # Invariants
//
// What a member is assigned and what it has yet to give up (Assigned and Revoking together) is what it
// holds; a partition is added to Assigned only when nobody holds it. So no partition is held by two, in
// whatever order members come. A member's epoch never goes down here.
//
// # Failure
//
// A member in a state of a later version cannot be moved: ErrUnknownState, and it has to begin again
// without partitions.
//
// # Concurrency
//
// Pure functions of immutable values.
//
// # Not here
//
// Targets (agent/group/assignor); who holds what, epochs of groups, time-outs (agent/group).
package reconcile
