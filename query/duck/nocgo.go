//go:build !cgo

package duck

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/varve-log/varve/query/table"
)

// DB is what a build with cgo makes of DuckDB; here there is none.
type DB struct{}

// Result is what a build with cgo returns; here there is none.
type Result struct{}

// Open returns ErrNeedsCgo.
func Open(table.Source, Options) (*DB, error) { return nil, ErrNeedsCgo }

// Query returns ErrNeedsCgo.
func (d *DB) Query(context.Context, string) (*Result, error) { return nil, ErrNeedsCgo }

// Close does nothing.
func (d *DB) Close() error { return nil }

// Schema returns nil.
func (r *Result) Schema() *arrow.Schema { return nil }

// Next returns ErrNeedsCgo.
func (r *Result) Next(context.Context) (arrow.RecordBatch, error) { return nil, ErrNeedsCgo }

// Report returns an empty report.
func (r *Result) Report() Report { return Report{} }

// Close does nothing.
func (r *Result) Close() error { return nil }
