// Command varve is the whole of Varve in one binary: the agent, and the tools that talk to an agent
// by the Kafka protocol (topic, group, produce, consume, bench) or to the bucket alone (replay,
// query, catalog).
//
// Each verb lives in a file of its own and does three steps: flags, a configuration, a call into a
// library. No behaviour that another program could want lives here.
//
// # Conventions
//
// Data goes to stdout, talk to stderr; every read takes -o json. Progress bars show only when stderr
// is a terminal. A usage error prints one sentence, a hint and where help is, and exits with 2;
// any other failure prints what failed, why and what to do next, and exits with 1. Whatever deletes
// asks on a terminal and wants --yes elsewhere. VARVE_BOOTSTRAP, VARVE_STORE and VARVE_HTTP stand in
// for the flags of the same name.
//
// # Concurrency
//
// One command runs at a time under one context, which SIGINT and SIGTERM end; a second signal kills
// the process as usual.
//
// # Not here
//
// What an agent is (package agent), how objects are read (tiering/replay), SQL (query), and the
// comparison with other services (bench).
package main
