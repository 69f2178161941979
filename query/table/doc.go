// Package table sees an archived topic as a table: which topics there are, which columns a topic
// has, which of its sealed segments a predicate can touch, and how the bucket's objects are
// listed and read for a scan.
//
// It is called by query/duck, which scans topics under SQL, and by query, which opens a Source
// over a bucket. It calls a Source only; the one over a bucket lives in query/bucket.
//
// Invariants. Pruning is sound: a segment is left out only when its offset or timestamp bounds,
// or its partition, prove that no record of it satisfies the predicate. Whoever filters
// re-applies every filter to the rows that are read, so a segment read in vain costs time and
// never a wrong answer. A record's time bounds come from the manifest entry, which holds the
// smallest and the largest timestamp of the records, in whatever order they were written.
//
// Concurrency. Values (Topic, Segment, Bounds) are plain data. A Source may be used by many
// goroutines; a BatchReader by one at a time.
//
// Not here: decoding records into columns (query/arrowrec), SQL (query/duck), writing results
// (query/output).
package table
