// Package query answers SQL over the archived topics of a bucket and writes the rows.
//
// It is called by cmd/varve (`varve query`), which opens query/bucket as the source. It puts
// together query/duck (SQL by DuckDB) and query/output (table, json, csv, arrow, parquet). Agents
// never import it.
//
// What a statement sees: each topic as a table of its name, quoted where SQL needs quotes, with
// the columns partition, offset, timestamp, key, value, headers, leader_epoch, producer_id and
// producer_epoch. The name offset is a keyword of SQL: write "offset". Rows are the sealed
// records from the log start offset on, as a read_committed consumer sees them; what is not
// sealed yet is on the agents only. `varve.value.format` makes value a BLOB (raw), VARCHAR (utf8)
// or JSON (json); parentheses belong around value->>'field' in comparisons.
//
// Memory is bounded by the limits of Options and one output row group; rows are streamed.
//
// Failure. A wrong statement is a *duck.StatementError with DuckDB's message, its position, and the
// topics there are. A build without cgo answers duck.ErrNeedsCgo.
//
// Not here: reading the bucket (tiering/replay), Arrow columns (query/arrowrec).
package query
