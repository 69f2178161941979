// Command compare starts Varve, Apache Kafka and a bare sink on this machine, puts the same load
// from the same client on each in turn, and prints one table.
//
//	make build && go run ./bench/compare -varve bin/varve
//	go run ./bench/compare -only produce-1k,paced-50k -rounds 5 -o json
//
// It wants a machine with nothing else on it. Kafka needs Java and Maven (bench/peers/kafka.sh);
// where they are missing its column is left out. The rows "cold" and its parts need MinIO
// (localstack/up).
//
// # How it measures
//
// Client and broker share the machine, so throughput says less than the broker's CPU seconds per
// GB (10^9 bytes of record values), which are read from /proc. All brokers stay up; runs alternate
// between them, and the order turns each round. Rounds of warm-up come first, for the JVM's
// compiler. Before every timed run a child process touches some GB of memory and frees it, since
// first touches are slow on virtual machines and would favour whoever runs second. The run's topic
// is deleted after it, and its files are waited for to be gone. Nobody calls fsync, which is
// Kafka's default.
//
// The sink (bench/sink) is the machine's floor: the same requests received, checked and written
// without any protocol. What a broker costs above it is the broker's own.
//
// Values in the table are medians over the rounds, with minimum and maximum behind them.
//
// # Failure
//
// A row that fails is reported with its error, the others are measured all the same, and the exit
// code is 1.
//
// # Not here
//
// The loads themselves (bench/load), profiles of a broker under load (bench/drive).
package main
