// Package duck answers SQL over topics by DuckDB, in process. A topic is a table of its name.
//
// It is called by query. It calls DuckDB's C API, through the bindings below duckdb-go and, where
// that would cost a call per value, a few C functions of its own; query/table for what a bucket
// holds; query/arrowrec for decoding.
//
// How a statement runs. A table name that the catalog lacks is a topic: a replacement scan turns it
// into varve_scan(topic, n) with n the number of the reference in the statement. The statement is
// planned twice in one transaction, so that now() is the same instant: once by json_serialize_plan,
// whose optimized plan shows for every varve_scan the filters right above it, from which come the
// bounds that prune segments; then for the run. Each run of a scan lists segments anew, so that
// self-joins, common table expressions and repeated statements each read on their own.
//
// Invariants. Filters only prune: DuckDB applies every one of them to the rows again. References
// to a topic get their own bounds; a scan whose number or topic does not agree with the plan, or
// that stands under anything not understood, is not pruned. Columns that the plan leaves out are
// not decoded. When a statement ends early, or its context is done, its reads stop.
//
// The sandbox. A statement sees the topics and nothing else: no files, no network, no extensions
// loaded, settings locked, a read-only transaction. Its time zone is UTC. Memory is bounded by
// Options.MemoryBytes; beyond it DuckDB spills into Options.TempDir, at most Options.TempBytes.
//
// Concurrency. A DB runs one statement at a time: Query waits until the previous Result is closed.
// Scans run on DuckDB's threads, each with its own reader.
//
// Without cgo the package compiles, and Open says what is missing.
package duck
