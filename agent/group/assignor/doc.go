// Package assignor says which member of a consumer group is to read which partition: the assignors
// that run at the coordinator with the consumer protocol (KIP-848), "uniform" and "range".
//
// agent/group calls it whenever a group's epoch passed its assignment's, with what the members
// subscribe to, what they were to have so far, and how many partitions each topic has. What comes back
// is a target: how members get there, one revocation at a time, is agent/group/reconcile.
//
// # Invariants
//
// Every partition of a topic that somebody subscribes to belongs to exactly one of its subscribers;
// nobody is given a partition of a topic that it does not subscribe to. uniform keeps the sizes of
// members with equal subscriptions within one of each other and moves no more than that needs; range
// gives neighbouring partitions to one member, of all topics alike, and forgets what was before.
// The same input gives the same target: members and topics are taken in ascending order.
//
// # Concurrency
//
// Pure functions of immutable values. A result may share lists with its input.
//
// # Not here
//
// Racks: as in Kafka 4, no server-side assignor looks at them. Assignors of the classic protocol run in
// the clients.
package assignor
