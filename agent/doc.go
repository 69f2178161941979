// Package agent is one node, composed: it opens the data directory, the bucket and the catalog, leads
// its partitions, listens for Kafka clients and for HTTP, seals in the background, and ends all that
// in the opposite order. The numbered comments in agent.go are the order.
//
// cmd/varve makes a Config and calls Run. The agent implements what its listeners ask: api.Backend
// for the Kafka protocol (backend.go, topics.go, configs.go) and admin.Agent for HTTP (status.go).
//
// # Invariants
//
// V4: each start is a new incarnation and leads only in leader epochs that its own commit raised.
// V9: which topics exist and who leads is read from the catalog's state only; the map of open
// partitions follows it. V10: bounds are in Config and in the configs of the parts.
//
// # Concurrency
//
// The map of open partitions is guarded by Agent.mu and published to the hot path as an immutable
// value; no lock is held while a partition is opened or the bucket is asked.
//
// # Failure
//
// What prevents a start is returned with the thing, the cause and the next step. Later, a bucket that
// cannot be reached stops sealing and changes of topics but not produce and hot fetch; an agent that
// finds itself superseded in the catalog stops at once.
//
// # Not here
//
// SQL (package query, which an agent never imports) and the command line (cmd/varve).
package agent
