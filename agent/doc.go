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
// The map of open partitions is published to the hot path as an immutable value. Agent.followMu
// serialises who makes the next one; it is held while partitions are opened and closed, never by
// produce or fetch. It comes before the locks of the sealer, the logs and the catalog.
//
// # Failure
//
// What prevents a start is returned with the thing, the cause and the next step. Later, a bucket that
// cannot be reached stops sealing and changes of topics but not produce and hot fetch; an agent that
// finds itself superseded in the catalog stops at once. A partition that cannot be opened is offline
// and tried again; a damaged log is moved to quarantine where the bucket has something to go on from
// (sealed segments or the checkpoint of a compacted log, whichever reaches further: beginning.go),
// and stays offline where it has not. A disk that another one stood in for since, or that may have
// lost writes, is doubtful until each of its logs was held against its manifest.
//
// # Not here
//
// SQL (package query, which an agent never imports) and the command line (cmd/varve).
package agent
