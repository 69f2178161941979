//go:build cgo

package duck

/*
#include <stdint.h>
#include <stdlib.h>

struct ArrowSchema;
struct ArrowArray;

// Of duckdb.h, whose handles are all pointers.
void *duckdb_to_arrow_schema(void *options, void **types, const char **names, uint64_t n,
                             struct ArrowSchema *out);
void *duckdb_data_chunk_to_arrow(void *options, void *chunk, struct ArrowArray *out);

// The sizes of both structs in the Arrow C data interface.
enum { varve_arrow_schema_size = 72, varve_arrow_array_size = 80 };
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/varve-log/varve/internal/arrowjson"
)

// Result streams the rows of a statement. It belongs to one goroutine at a time.
type Result struct {
	db      *DB
	st      *statement
	began   bool // a transaction
	res     duckdb.Result
	options duckdb.ArrowOptions
	schema  *arrow.Schema
	unwatch func()
	closed  bool
}

// watch interrupts DuckDB when ctx is done, until unwatch.
func (r *Result) watch(ctx context.Context) {
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		duckdb.Interrupt(r.db.conn)
		close(interrupted)
	})
	r.unwatch = func() {
		if !stop() {
			<-interrupted
		}
	}
}

// readSchema learns the columns of the result.
func (r *Result) readSchema() error {
	n := int(duckdb.ColumnCount(&r.res))
	r.options = duckdb.ResultGetArrowOptions(&r.res)
	types := make([]duckdb.LogicalType, n)
	names := make([]string, n)
	jsons := make([]bool, n)
	for i := range n {
		types[i] = duckdb.ColumnLogicalType(&r.res, duckdb.IdxT(i))
		names[i] = duckdb.ColumnName(&r.res, duckdb.IdxT(i))
		jsons[i] = duckdb.LogicalTypeGetAlias(types[i]) == "JSON"
	}
	schema, err := importSchema(r.options, types, names)
	for i := range types {
		duckdb.DestroyLogicalType(&types[i])
	}
	if err != nil {
		return &StatementError{Message: err.Error(), Hint: "cast the column to VARCHAR"}
	}
	fields := schema.Fields()
	for i := range fields {
		if jsons[i] {
			fields[i].Metadata = arrowjson.Mark()
		}
	}
	r.schema = arrow.NewSchema(fields, nil)
	return nil
}

func importSchema(o duckdb.ArrowOptions, types []duckdb.LogicalType, names []string,
) (*arrow.Schema, error) {
	n := len(types)
	size := C.size_t(n) * C.size_t(unsafe.Sizeof(uintptr(0)))
	cTypes := (*unsafe.Pointer)(C.calloc(1, size+1))
	cNames := (**C.char)(C.calloc(1, size+1))
	defer C.free(unsafe.Pointer(cTypes))
	defer C.free(unsafe.Pointer(cNames))
	for i := range n {
		unsafe.Slice(cTypes, n)[i] = types[i].Ptr
		name := C.CString(names[i])
		defer C.free(unsafe.Pointer(name))
		unsafe.Slice(cNames, n)[i] = name
	}
	out := C.calloc(1, C.varve_arrow_schema_size)
	defer C.free(out)
	e := C.duckdb_to_arrow_schema(o.Ptr, cTypes, cNames, C.uint64_t(n), (*C.struct_ArrowSchema)(out))
	if err := takeError(e); err != nil {
		return nil, err
	}
	return cdata.ImportCArrowSchema((*cdata.CArrowSchema)(out))
}

// takeError frees DuckDB's error data and returns its message.
func takeError(e unsafe.Pointer) error {
	data := duckdb.ErrorData{Ptr: e}
	if e == nil {
		return nil
	}
	defer duckdb.DestroyErrorData(&data)
	if !duckdb.ErrorDataHasError(data) {
		return nil
	}
	return errors.New(duckdb.ErrorDataMessage(data))
}

// Schema is the Arrow schema of the rows. Columns of DuckDB's type JSON are utf8 with
// arrowjson.Mark.
func (r *Result) Schema() *arrow.Schema { return r.schema }

// Next returns the next rows, which the caller must Release, or io.EOF.
func (r *Result) Next(ctx context.Context) (arrow.RecordBatch, error) {
	for {
		chunk := duckdb.FetchChunk(r.res)
		if chunk.Ptr == nil {
			return nil, r.end(ctx)
		}
		rec, err := r.convert(chunk)
		duckdb.DestroyDataChunk(&chunk)
		if err != nil || rec.NumRows() > 0 {
			return rec, err
		}
		rec.Release()
	}
}

// end is io.EOF unless the statement failed half way.
func (r *Result) end(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if message := duckdb.ResultError(&r.res); message != "" {
		return r.explain(ctx, refused(message))
	}
	if err := r.st.failure(); err != nil {
		return err
	}
	return io.EOF
}

func (r *Result) convert(chunk duckdb.DataChunk) (arrow.RecordBatch, error) {
	out := C.calloc(1, C.varve_arrow_array_size)
	defer C.free(out)
	e := C.duckdb_data_chunk_to_arrow(r.options.Ptr, chunk.Ptr, (*C.struct_ArrowArray)(out))
	if err := takeError(e); err != nil {
		return nil, fmt.Errorf("convert a result: %w", err)
	}
	return cdata.ImportCRecordBatchWithSchema((*cdata.CArrowArray)(out), r.schema)
}

// Report tells what was read so far; after Close it is final.
func (r *Result) Report() Report { return r.st.report() }

// Close ends the statement and its reads. It may be called more than once.
func (r *Result) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.unwatch()
	r.st.cancel()
	duckdb.DestroyArrowOptions(&r.options)
	duckdb.DestroyResult(&r.res)
	var err error
	if r.began {
		if err = r.db.exec("ROLLBACK"); err != nil {
			err = fmt.Errorf("end the statement: %w", err)
		}
	}
	r.db.st.Store(nil)
	<-r.db.turn
	return err
}

// firstText is the first value of the first row.
func firstText(res *duckdb.Result) (string, bool) {
	chunk := duckdb.FetchChunk(*res)
	if chunk.Ptr == nil {
		return "", false
	}
	defer duckdb.DestroyDataChunk(&chunk)
	if duckdb.DataChunkGetSize(chunk) == 0 {
		return "", false
	}
	vector := duckdb.DataChunkGetVector(chunk, 0)
	text := (*duckdb.StringT)(duckdb.VectorGetData(vector))
	return duckdb.StringTData(text), true
}
