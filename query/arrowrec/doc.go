// Package arrowrec turns record batches into columns: as plain Go slices (Rows), and as Arrow
// record batches of a fixed schema.
//
// It is called by query/duck, which copies Rows into DuckDB's vectors, and by `varve replay -o
// arrow|parquet`, which writes the Arrow record batches with query/output. It calls kafka/record.
//
// Schema: partition int32, offset int64, timestamp timestamp[ms, UTC] (null when the record has
// none), key binary, value binary or utf8, headers list<struct<key utf8, value binary>>,
// leader_epoch int32, producer_id int64 and producer_epoch int16 (null when the producer is not
// idempotent). Key and value are null when the record's are.
//
// Invariants. Records come out in the order of the batches. Records of control batches are never
// shown (V3). What is projected away is not decoded: without timestamp, key, value and headers a
// dense batch is not even inflated.
//
// Memory is bounded by RowsMax rows or DataBytesMax bytes of keys, values and headers, whichever
// comes first, plus one record and one inflated batch.
//
// Concurrency: a Reader belongs to one goroutine at a time.
//
// Not here: which batches to read (query/table), files (query/output).
package arrowrec
