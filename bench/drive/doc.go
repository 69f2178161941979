// Command drive puts one load on a broker that already runs and prints what it did: for profiling
// a broker and for trying settings. bench/compare runs the same loads side by side.
//
//	go run ./bench/drive -addr 127.0.0.1:9092 -size 100 -seconds 10
//	go run ./bench/drive -addr 127.0.0.1:9092 -rate 50000
//	go run ./bench/drive -addr 127.0.0.1:9092 -consume
//
// It makes a topic for the run and deletes it afterwards, unless -keep says otherwise.
package main
