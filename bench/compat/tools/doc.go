// Tools runs Kafka's own command-line tools as a person runs them and compares what they print with what
// they print for Apache Kafka. It is one of the drivers of the report card (../README.md).
//
// A file of testdata is a transcript: lines that begin with "$ " are commands of bash, and below each is
// what it printed when the broker was Apache Kafka 4.3.1. What differs between two runs is made the same
// first: ids, times, addresses, the width of columns (normal.go). Where Varve's answer differs for a
// reason, both are there: a line "% varve: reason" and Varve's output follow Kafka's. An answer must
// be one of the two.
//
//	go run ./bench/compat/tools -bootstrap HOST:PORT -prefix p1
//	go run ./bench/compat/tools -bootstrap HOST:PORT -prefix p1 -only groups -v
//	go run ./bench/compat/tools -bootstrap HOST:PORT -prefix p1 -rewrite DIR
//
// The first compares all, the second one and prints the differences, the third records, from Apache
// Kafka only. The prefix is new for each run.
//
// In a command, $B is the broker's address, $P the prefix of all names of the run and $W a directory.
// The tools have their usual names; until_matches, background, seen and stop are helpers of shell.go.
package main
