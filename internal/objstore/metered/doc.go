// Package metered wraps any objstore.Store and counts what is asked of it: requests by operation
// and outcome, bytes up and down, and how long the store takes to answer.
//
// The agent wraps its store once; tests wrap theirs to hold a piece of work to its budget of
// requests (Counts). A request here is a call of the interface: retries beneath it, and the parts
// of a multipart upload, are one.
//
// # Concurrency
//
// Counters are atomic; nothing is locked and nothing is allocated on a Read.
//
// # Not here
//
// HTTP listening (agent/admin). Metrics of the SDKs' own attempts.
package metered
