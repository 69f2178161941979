// Command card makes the report card: it starts an agent, installs the drivers of the client
// libraries, has each of them walk the written scenarios (../README.md), and prints who passed.
//
// It asks every executable file ../FOLDER/install what can be run here. The plain scenarios are the
// driver's own affair, line by line; afterwards a franz-go client looks at what the broker stored.
// In the
// group scenarios the drivers are mere members, started, stopped and killed by this process, which
// writes the records and judges by what the members print. A few jobs run at a time, heavy clients one.
//
// With -rewrite the table goes into docs/compatibility.md. Otherwise the table there is the promise:
// a scenario that it says passes has to be passed. A client that cannot be installed is "not run",
// which is an error under CI=true only.
//
// With -kafka HOST:PORT no agent is started, and all goes to the server there. That is how the
// scenarios themselves are checked, against Apache Kafka.
//
// -suite runs franz-go's own integration tests against an agent of their own, and counts them.
//
// Not here: what a client does in a scenario (the drivers), and speed (bench/compare).
package main
