// Package rowfile reads files of rows, newline-delimited JSON, CSV or Parquet, as a stream of JSON
// objects: what `varve produce --file` makes records of.
//
// It is called by cmd/varve. It calls nothing of Varve.
//
// Values are deterministic: a row's fields keep the file's column order, numbers are written in the
// shortest form that reads back as the same number, an absent value is null. Parquet timestamps and
// dates are RFC 3339 strings in UTC ("2001-01-13T16:30:00Z", with as many decimals as are not zero;
// "2001-01-13"), decimals are exact numbers, binary is base64, numbers that JSON cannot say (NaN,
// infinities) are null, lists and structs are JSON arrays and objects. CSV cells that read as a
// JSON number, true or false become one; an empty cell is null; all else is a string. NDJSON lines
// are passed on as they are, without the white space around them.
//
// Keys are the key column's text: a string without quotes, anything else as its JSON. A null key
// is no key. Timestamps are read from a Parquet timestamp or date, from an RFC 3339 string (UTC
// when it names no zone), or from a number of milliseconds since the epoch.
//
// Memory is bounded: one line of at most LineBytesMax, or one batch of a Parquet row group's
// columns.
//
// Failure. A file that cannot be read yields one sentence that names the file, the cause and the
// next step; a bad row names its line or row number.
//
// Concurrency: a Reader belongs to one goroutine at a time.
package rowfile
