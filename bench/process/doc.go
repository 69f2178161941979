// Package process runs a real varve agent as a process of its own, for programs that kill it, restart
// it and take its disk away.
//
// bench/crash and bench/demo use it. An Agent listens on a free loopback port, which it keeps over
// restarts so that clients find it again.
//
// Failure: what the agent printed last is part of the error when it does not get ready or ends by
// itself. Nothing is left running after Kill or Stop.
//
// Not here: load and checks (bench/crash, bench/load), other brokers (bench/compare).
package process
