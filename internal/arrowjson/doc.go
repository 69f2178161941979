// Package arrowjson writes the values of Arrow arrays as JSON or as plain text, without reflection:
// the array's type is looked at once, each value is appended to the caller's buffer.
//
// It is called by internal/rowfile (Parquet rows become record values) and query/output (results as
// table, csv and ndjson). It calls nothing of Varve.
//
// Forms. Numbers are the shortest decimal that reads back as the same number, decimals are exact;
// NaN and infinities are null in JSON. Instants are RFC 3339 in UTC with as many decimals as are
// not zero. Lists are arrays, structs and maps of text are objects. Bytes that are no UTF-8 in
// text become U+FFFD. The Style says how bytes and timestamps without a zone look.
//
// Concurrency: an Appender reads its array only; it may be used by many goroutines.
package arrowjson
