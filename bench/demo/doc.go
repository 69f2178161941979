// Command demo walks the whole way of Varve on real input and compares every answer with the input:
// flights are produced with Kafka's protocol, sealed into a bucket, read back by Kafka clients, and,
// with the agent and its disk gone, replayed and queried from the bucket alone; then an agent on an
// empty disk serves them again. `make demo STORE=file|s3|minio` runs it; so does its test, on fewer
// rows.
//
// How it compares. Each record, as (key, timestamp in ms, value bytes), has an MD5 digest. The
// digests of a stream are sorted and hashed with SHA-256: two streams with the same hash hold the
// same records as often, in whatever order partitions came. Neighbours in the sorted digests that
// are equal are duplicates; the input has some of its own. Order is compared by key: the digests
// of a key's records are folded in the order they came in, which must give what the input gives.
// Offsets must be dense in every partition, from 0 to the end. The input's JSON is made by
// internal/rowfile, which `varve produce --file` uses as well; therefore DuckDB makes the same text
// from the Parquet file on its own and the sums of both sides' digests must agree.
//
// The answers of SQL are compared, row by row, with what DuckDB answers over the Parquet file.
//
// What it needs: the varve binary; a C compiler for DuckDB (without one SQL is left out and says
// so); kcat, which is left out with a line where it is missing, except under CI=true; MinIO for the
// stores s3 and minio, which localstack/up starts unless VARVE_STORE_S3 or VARVE_STORE_MINIO is set.
//
// Memory: 16 bytes a record for each of two streams, 100 MB for three million.
//
// Failure: the step that failed, what differs, the end of the agent's log; directories are kept.
// Processes that it started are stopped in every case.
//
// Not here: crashes (bench/crash), speed (bench/compare).
package main
