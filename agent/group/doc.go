// Package group is Kafka's group coordinator as a pure state machine: the groups and committed offsets
// whose home is one partition of __consumer_offsets. agent/coordinate drives it; package agent answers
// the wire's requests (agent/api) by its transitions.
//
// classic_*.go are the classic protocol (join, sync, heartbeat, leave), consumer_*.go the consumer
// protocol (KIP-848), offsets_*.go the committed offsets that both share. Behaviour, numbers and record
// formats are those of Apache Kafka 4.3.
//
// # Invariants
//
// Offsets and consumer groups change by the code that Replay runs. A classic group is written only where
// Kafka writes it: when it is made, when its leader has assigned, when a static member comes back and
// when it gets empty; while it rebalances it is ahead of its record, and a restart finds the generation
// before. The leader is a member; the generation only grows. V9, V10: bounds are in Config.
//
// In a consumer group member epoch <= target epoch <= group epoch, none goes back while the group lives,
// and no partition is held by two members (agent/group/reconcile). A group that changes its protocol
// takes along what its members hold. It is described, and hashes its topics, as Kafka does.
//
// # Concurrency
//
// A Machine belongs to one goroutine at a time, starts none, has no clock and does no I/O. What it has
// to know of topics it asks of Topics, which must not call back.
//
// # Failure
//
// A refusal is a reply with a sentinel of errors.go or consumer_errors.go. Tokens of a machine that is
// dropped are answered by the driver.
//
// # Not here
//
// Kafka's error codes and authorization (agent/api), appends and loading (agent/coordinate), who may
// commit in a transaction (agent/txn).
package group
