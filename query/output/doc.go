// Package output writes Arrow record batches for people and programs: as an aligned table, as
// newline-delimited JSON, as CSV, as an Arrow IPC stream and as a Parquet file.
//
// It is called by query (results of SQL) and by cmd/varve (`varve replay -o arrow|parquet`). It
// calls internal/arrowjson.
//
// Forms. ndjson: one object per row, fields in the order of the columns; bytes as text with \xHH
// for what is not printable ASCII, instants as RFC 3339 in UTC, columns of DuckDB's type JSON as
// they are where they are valid JSON. csv: RFC 4180 with a header line, null is an empty cell.
// table: numbers to the right, null as NULL, the number of rows last; column widths are taken
// from the first 1000 rows, so that any number of rows takes bounded memory. arrow: one IPC
// stream. parquet: zstd, row groups of at most 1,048,576 rows or 64 MiB.
//
// Memory: the rows that a table is measured by, or one Parquet row group.
//
// Failure. Close completes the output; without it an Arrow stream or a Parquet file is not
// readable. No Writer closes the io.Writer below it.
//
// Concurrency: a Writer belongs to one goroutine at a time.
package output
