//go:build cgo

package duck

/*
#include <stdint.h>

// Of duckdb.h, whose handles are all pointers.
void *duckdb_bind_get_extra_info(void *info);
void duckdb_bind_set_bind_data(void *info, void *data, void (*destroy)(void *));
void *duckdb_init_get_bind_data(void *info);
void duckdb_init_set_init_data(void *info, void *data, void (*destroy)(void *));
void *duckdb_function_get_init_data(void *info);
void *duckdb_function_get_local_init_data(void *info);

extern void varveDrop(uintptr_t handle);

static void varve_drop(void *handle) { varveDrop((uintptr_t)handle); }

static uintptr_t varve_extra_info(void *info) {
	return (uintptr_t)duckdb_bind_get_extra_info(info);
}
static uintptr_t varve_bind_data(void *info) { return (uintptr_t)duckdb_init_get_bind_data(info); }
static uintptr_t varve_init_data(void *info) {
	return (uintptr_t)duckdb_function_get_init_data(info);
}
static uintptr_t varve_local_data(void *info) {
	return (uintptr_t)duckdb_function_get_local_init_data(info);
}
static void varve_set_bind_data(void *info, uintptr_t h) {
	duckdb_bind_set_bind_data(info, (void *)h, varve_drop);
}
static void varve_set_init_data(void *info, uintptr_t h) {
	duckdb_init_set_init_data(info, (void *)h, varve_drop);
}
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// dropper is a Go value that DuckDB holds by its handle and lets go of.
type dropper interface{ drop() }

func handleOf(h C.uintptr_t) any { return cgo.Handle(h).Value() }

func setBindData(info unsafe.Pointer, v dropper) {
	C.varve_set_bind_data(info, C.uintptr_t(cgo.NewHandle(v)))
}

func setInitData(info unsafe.Pointer, v dropper) {
	C.varve_set_init_data(info, C.uintptr_t(cgo.NewHandle(v)))
}

// dbOf, referenceOf, scanOf and workerOf return what was set on the info of a callback: of bind, of
// both inits, and of fill.
func dbOf(info unsafe.Pointer) *DB { return handleOf(C.varve_extra_info(info)).(*DB) }

func referenceOf(info unsafe.Pointer) *reference {
	return handleOf(C.varve_bind_data(info)).(*reference)
}

func scanOf(info unsafe.Pointer) *scan { return handleOf(C.varve_init_data(info)).(*scan) }

func workerOf(info unsafe.Pointer) *worker { return handleOf(C.varve_local_data(info)).(*worker) }

func drop(h uintptr) {
	v := cgo.Handle(h).Value().(dropper)
	cgo.Handle(h).Delete()
	v.drop()
}
