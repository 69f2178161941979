// Package tabletest is a table.Source in memory, for tests and benchmarks: topics of batches that
// are built from records, grouped into segments whose reads are counted as one GET each.
//
// It is called by tests of query and below. Concurrency: build first, then read from many
// goroutines.
package tabletest
