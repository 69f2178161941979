//go:build cgo

package duck

/*
#include <stdint.h>

// Of duckdb.h, whose handles are all pointers.
void duckdb_table_function_set_extra_info(void *f, void *info, void (*destroy)(void *));
void duckdb_table_function_set_bind(void *f, void (*bind)(void *));
void duckdb_table_function_set_init(void *f, void (*init)(void *));
void duckdb_table_function_set_local_init(void *f, void (*init)(void *));
void duckdb_table_function_set_function(void *f, void (*function)(void *, void *));
void duckdb_add_replacement_scan(void *db, void (*scan)(void *, const char *, void *), void *data,
                                 void (*destroy)(void *));

// Of scan.go. The handles of Go values travel as integers in place of pointers.
extern void varveReplace(void *info, char *name, uintptr_t db);
extern void varveBind(void *info);
extern void varveInit(void *info);
extern void varveLocalInit(void *info);
extern void varveFill(void *info, void *chunk);

static void varve_replace(void *info, const char *name, void *data) {
	varveReplace(info, (char *)name, (uintptr_t)data);
}

static void varve_set_callbacks(void *f, uintptr_t db) {
	duckdb_table_function_set_extra_info(f, (void *)db, 0);
	duckdb_table_function_set_bind(f, varveBind);
	duckdb_table_function_set_init(f, varveInit);
	duckdb_table_function_set_local_init(f, varveLocalInit);
	duckdb_table_function_set_function(f, varveFill);
}

static void varve_add_replacement_scan(void *db, uintptr_t handle) {
	duckdb_add_replacement_scan(db, varve_replace, (void *)handle, 0);
}
*/
import "C"

import (
	"errors"
	"runtime/cgo"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// register makes varve_scan(topic VARCHAR, number BIGINT) and the replacement scan.
func register(db duckdb.Database, conn duckdb.Connection, h cgo.Handle) error {
	f := duckdb.CreateTableFunction()
	defer duckdb.DestroyTableFunction(&f)
	duckdb.TableFunctionSetName(f, scanFunction)
	for _, t := range []duckdb.Type{duckdb.TypeVarchar, duckdb.TypeBigInt} {
		parameter := duckdb.CreateLogicalType(t)
		duckdb.TableFunctionAddParameter(f, parameter)
		duckdb.DestroyLogicalType(&parameter)
	}
	duckdb.TableFunctionSupportsProjectionPushdown(f, true)
	C.varve_set_callbacks(f.Ptr, C.uintptr_t(h))
	if duckdb.RegisterTableFunction(conn, f) == duckdb.StateError {
		return errors.New("duckdb refuses the table function of topics")
	}
	C.varve_add_replacement_scan(db.Ptr, C.uintptr_t(h))
	return nil
}
