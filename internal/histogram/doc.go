// Package histogram counts durations in buckets narrow enough for percentiles: each is at most 1/64
// wider than it is long, from one microsecond to hours, in 20 KiB of memory.
//
// It is called by `varve bench` and the programs of bench. It calls nothing of Varve.
//
// Percentiles are given as the upper end of the bucket that holds them, so they are never better than
// the truth.
//
// Concurrency: Add may be called by any number of goroutines; Quantile gives a view of that moment.
package histogram
