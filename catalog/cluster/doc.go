// Package cluster is the value that says what the cluster is: its agents, topics, partitions with
// their leaders, settings and producer id blocks.
//
// It is pure: no I/O, no clock, no goroutine, no randomness. A State is immutable and shared
// freely; a Change gives a new State or the reason to refuse. Package catalog commits changes by
// compare-and-set and repeats them on the newest state after a conflict, so a Change must decide by
// nothing but its own fields and the state it is given.
//
// # Invariants
//
// V9: a state is the fold of its deltas. Diff of two states is a Delta, and Apply of that Delta to
// the first is the second. V4: a leader epoch is led by one agent incarnation: StartLeading gives
// every start new epochs, and a superseded incarnation is refused (ErrSuperseded). Topic ids are
// never used twice: a deleted topic stays listed until its objects are swept. Producer ids are
// handed out once.
//
// # Size
//
// A commit copies the map of topics (pointers) and the partitions of the topics it touches. Names,
// ids and settings are bounded (see Limits constants); 200,000 partitions are meant to fit.
//
// # Format
//
// Deltas and snapshot pages are JSON with a "format" field, gzipped where they are objects of their
// own. The body of the cluster head (Root) holds small deltas inline and names the rest.
//
// # Claims
//
// Claim decides whether a starting agent may take an id that is registered: see claim.go.
//
// # Not here
//
// The head's swap (catalog/register), placement of replicas (agent/placement), offsets
// (catalog/manifest).
package cluster
