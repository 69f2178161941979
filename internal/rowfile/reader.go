package rowfile

import (
	"io"

	"github.com/varve-log/varve/kafka"
)

// Options says which columns become a record's key and timestamp.
type Options struct {
	// Format is ndjson, csv or parquet; empty takes it from the file's name.
	Format string
	// Key names the column of the record key; empty: records have no key.
	Key string
	// Timestamp names the column of the record timestamp; empty: rows have kafka.NoTimestamp.
	Timestamp string
}

// Row is one row. Its slices are valid until the following call of Next.
type Row struct {
	// Number counts from 1 in the order of the file; for ndjson it is the line.
	Number int64
	// Key is nil when the row has none.
	Key []byte
	// Value is one JSON object.
	Value []byte
	// Timestamp is kafka.NoTimestamp when no column was named or the row's is null.
	Timestamp kafka.Timestamp
}

// Progress is how far a reader is: of Total units (bytes or rows), Done were read.
type Progress struct {
	Done, Total int64
	// Unit is "bytes" or "rows". Total is 0 when it is not known, as of a pipe.
	Unit string
}

// Reader pulls rows.
type Reader interface {
	// Next returns the next row, or io.EOF after the last one.
	Next() (Row, error)
	// Progress may be called by another goroutine.
	Progress() Progress
	io.Closer
}
