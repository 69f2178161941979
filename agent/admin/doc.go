// Package admin is the agent's HTTP side: Prometheus metrics, health, and the few operations that
// the Kafka protocol has no words for (what of a topic is sealed, and "seal it now").
//
// package agent starts it on --http; the varve command line and a node's supervisor call it. It asks
// the agent through the Agent interface and holds no state.
//
// # Routes
//
//	GET  /metrics                          Prometheus text
//	GET  /healthz                          200 while the process serves
//	GET  /readyz                           200 when every hosted partition is served, else 503 and why
//	GET  /v1/topics/{topic}/segments       TopicSegments as JSON
//	POST /v1/topics/{topic}/seal?timeout=  seals below the last stable offset and waits; SealResult
//
// Errors are JSON objects {"error": "..."} with a fitting status.
//
// # Failure
//
// A slow or hostile client costs one connection with deadlines; requests carry no body.
//
// # Not here
//
// Everything Kafka's own tools can ask (agent/api).
package admin
