//go:build cgo

package duck

// #include <stdint.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/varve-log/varve/query/arrowrec"
	"github.com/varve-log/varve/query/table"
)

// varveReplace is asked what a table name means that the catalog lacks. Names that are no topic are
// left to DuckDB, whose message then tells the position.
//
//export varveReplace
func varveReplace(info unsafe.Pointer, name *C.char, db C.uintptr_t) {
	st := cgo.Handle(db).Value().(*DB).current()
	topic := C.GoString(name)
	if st == nil || !st.isTopic(topic) {
		return
	}
	call := duckdb.ReplacementScanInfo{Ptr: info}
	duckdb.ReplacementScanSetFunctionName(call, scanFunction)
	for _, v := range []duckdb.Value{
		duckdb.CreateVarchar(topic), duckdb.CreateInt64(st.nextReference(topic)),
	} {
		duckdb.ReplacementScanAddParameter(call, v)
		duckdb.DestroyValue(&v)
	}
}

// varveBind resolves one reference to a topic.
//
//export varveBind
func varveBind(ptr unsafe.Pointer) {
	info := duckdb.BindInfo{Ptr: ptr}
	topic, number := duckdb.BindGetParameter(info, 0), duckdb.BindGetParameter(info, 1)
	defer duckdb.DestroyValue(&topic)
	defer duckdb.DestroyValue(&number)
	st := dbOf(ptr).current()
	if st == nil {
		duckdb.BindSetError(info, "no statement is running")
		return
	}
	ref, err := st.reference(duckdb.GetVarchar(topic), duckdb.GetInt64(number))
	if err != nil {
		duckdb.BindSetError(info, err.Error())
		return
	}
	for c := range arrowrec.ColumnsCount {
		t := logicalType(arrowrec.Column(c), ref.topic.ValueFormat)
		duckdb.BindAddResultColumn(info, arrowrec.Column(c).Name(), t)
		duckdb.DestroyLogicalType(&t)
	}
	setBindData(ptr, ref)
}

// varveInit begins one run of a reference.
//
//export varveInit
func varveInit(ptr unsafe.Pointer) {
	info := duckdb.InitInfo{Ptr: ptr}
	columns := make([]int, duckdb.InitGetColumnCount(info))
	for i := range columns {
		columns[i] = -1
		c := uint64(duckdb.InitGetColumnIndex(info, duckdb.IdxT(i)))
		if c < uint64(arrowrec.ColumnsCount) {
			columns[i] = int(c)
		}
	}
	s := referenceOf(ptr).scan(columns)
	duckdb.InitSetMaxThreads(info, duckdb.IdxT(s.threads))
	setInitData(ptr, s)
}

// varveLocalInit begins one thread's part of a run.
//
//export varveLocalInit
func varveLocalInit(ptr unsafe.Pointer) { setInitData(ptr, &worker{}) }

// varveFill makes the next rows of a thread; none ends its part.
//
//export varveFill
func varveFill(ptr, chunk unsafe.Pointer) {
	s := scanOf(ptr)
	if err := workerOf(ptr).fill(s, chunk); err != nil {
		s.st.fail(err)
		duckdb.FunctionSetError(duckdb.FunctionInfo{Ptr: ptr}, err.Error())
	}
}

// varveDrop lets go of a value that was handed to DuckDB.
//
//export varveDrop
func varveDrop(handle C.uintptr_t) { drop(uintptr(handle)) }

// logicalType is a column's type in SQL.
func logicalType(c arrowrec.Column, format table.ValueFormat) duckdb.LogicalType {
	switch c {
	case arrowrec.Partition, arrowrec.LeaderEpoch:
		return duckdb.CreateLogicalType(duckdb.TypeInteger)
	case arrowrec.Offset, arrowrec.ProducerID:
		return duckdb.CreateLogicalType(duckdb.TypeBigInt)
	case arrowrec.ProducerEpoch:
		return duckdb.CreateLogicalType(duckdb.TypeSmallInt)
	case arrowrec.Timestamp:
		return duckdb.CreateLogicalType(duckdb.TypeTimestampTZ)
	case arrowrec.Headers:
		return headersType()
	case arrowrec.Value:
		if format == table.Raw {
			break
		}
		t := duckdb.CreateLogicalType(duckdb.TypeVarchar)
		if format == table.JSON {
			duckdb.LogicalTypeSetAlias(t, "JSON")
		}
		return t
	}
	return duckdb.CreateLogicalType(duckdb.TypeBlob)
}

// headersType is STRUCT(key VARCHAR, value BLOB)[].
func headersType() duckdb.LogicalType {
	key := duckdb.CreateLogicalType(duckdb.TypeVarchar)
	value := duckdb.CreateLogicalType(duckdb.TypeBlob)
	defer duckdb.DestroyLogicalType(&key)
	defer duckdb.DestroyLogicalType(&value)
	header := duckdb.CreateStructType([]duckdb.LogicalType{key, value}, []string{"key", "value"})
	defer duckdb.DestroyLogicalType(&header)
	return duckdb.CreateListType(header)
}
