//go:build cgo

package duck

/*
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Of duckdb.h, whose handles are all pointers. The library comes with the package duckdb.
void *duckdb_data_chunk_get_vector(void *chunk, uint64_t column);
void duckdb_data_chunk_set_size(void *chunk, uint64_t size);
void *duckdb_vector_get_data(void *vector);
uint64_t *duckdb_vector_get_validity(void *vector);
void duckdb_vector_ensure_validity_writable(void *vector);
void duckdb_unsafe_vector_assign_string_element_len(void *vector, uint64_t i, const char *s,
                                                    uint64_t n);
int duckdb_list_vector_reserve(void *vector, uint64_t capacity);
int duckdb_list_vector_set_size(void *vector, uint64_t size);
void *duckdb_list_vector_get_child(void *vector);
void *duckdb_struct_vector_get_child(void *vector, uint64_t i);

static void varve_validity(void *vector, const uint8_t *bits, uint64_t n) {
	if (bits == NULL) {
		return;
	}
	duckdb_vector_ensure_validity_writable(vector);
	memcpy(duckdb_vector_get_validity(vector), bits, (n + 7) / 8);
}

static void varve_fill_fixed(void *vector, const void *data, uint64_t width, const uint8_t *bits,
                             uint64_t n) {
	memcpy(duckdb_vector_get_data(vector), data, n * width);
	varve_validity(vector, bits, n);
}

// Milliseconds become microseconds.
static void varve_fill_times(void *vector, const int64_t *ms, const uint8_t *bits, uint64_t n) {
	int64_t *us = duckdb_vector_get_data(vector);
	for (uint64_t i = 0; i < n; i++) {
		int64_t t = ms[i];
		t = t > INT64_MAX / 1000 - 1 ? INT64_MAX / 1000 - 1 : t;
		us[i] = 1000 * (t < INT64_MIN / 1000 + 1 ? INT64_MIN / 1000 + 1 : t);
	}
	varve_validity(vector, bits, n);
}

// Text is known to be UTF-8.
static void varve_fill_bytes(void *vector, const char *data, const int32_t *ends,
                             const uint8_t *bits, uint64_t n) {
	varve_validity(vector, bits, n);
	for (uint64_t i = 0; i < n; i++) {
		if (bits == NULL || (bits[i / 8] >> (i % 8) & 1)) {
			duckdb_unsafe_vector_assign_string_element_len(vector, i, data + ends[i],
			                                               (uint64_t)(ends[i + 1] - ends[i]));
		}
	}
}

static bool varve_fill_lists(void *vector, const int32_t *ends, uint64_t n) {
	uint64_t *entries = duckdb_vector_get_data(vector); // offset, length
	for (uint64_t i = 0; i < n; i++) {
		entries[2 * i] = (uint64_t)ends[i];
		entries[2 * i + 1] = (uint64_t)(ends[i + 1] - ends[i]);
	}
	return duckdb_list_vector_reserve(vector, (uint64_t)ends[n]) == 0 &&
	       duckdb_list_vector_set_size(vector, (uint64_t)ends[n]) == 0;
}
*/
import "C"

import (
	"errors"
	"unsafe"

	"github.com/varve-log/varve/query/arrowrec"
)

// vectorRows is DuckDB's standard vector size.
const vectorRows = 2048

var errListMemory = errors.New("no memory for the headers of a vector")

// setChunkSize says how many rows a data chunk holds.
func setChunkSize(chunk unsafe.Pointer, rows int) {
	C.duckdb_data_chunk_set_size(chunk, C.uint64_t(rows))
}

// fillChunk copies rows into the columns of a data chunk, which holds vectorRows rows.
func fillChunk(chunk unsafe.Pointer, columns []int, rows *arrowrec.Rows) error {
	for i, c := range columns {
		if c < 0 {
			continue // the row id, which only count(*) asks for and nothing reads
		}
		vector := C.duckdb_data_chunk_get_vector(chunk, C.uint64_t(i))
		if err := fillVector(vector, arrowrec.Column(c), rows); err != nil {
			return err
		}
	}
	setChunkSize(chunk, rows.Len)
	return nil
}

func fillVector(vector unsafe.Pointer, c arrowrec.Column, r *arrowrec.Rows) error {
	switch c {
	case arrowrec.Partition:
		fillFixed(vector, r.Partitions, nil)
	case arrowrec.Offset:
		fillFixed(vector, r.Offsets, nil)
	case arrowrec.Timestamp:
		if r.Len > 0 {
			C.varve_fill_times(vector, (*C.int64_t)(&r.Timestamps[0]), bitsOf(&r.TimestampValid),
				C.uint64_t(r.Len))
		}
	case arrowrec.Key:
		fillBytes(vector, &r.Keys)
	case arrowrec.Value:
		fillBytes(vector, &r.Values)
	case arrowrec.Headers:
		return fillHeaders(vector, r)
	case arrowrec.LeaderEpoch:
		fillFixed(vector, r.LeaderEpochs, nil)
	case arrowrec.ProducerID:
		fillFixed(vector, r.ProducerIDs, &r.ProducerValid)
	case arrowrec.ProducerEpoch:
		fillFixed(vector, r.ProducerEpochs, &r.ProducerValid)
	}
	return nil
}

func fillFixed[T int16 | int32 | int64](vector unsafe.Pointer, v []T, valid *arrowrec.Bitmap) {
	if len(v) == 0 {
		return
	}
	C.varve_fill_fixed(vector, unsafe.Pointer(&v[0]), C.uint64_t(unsafe.Sizeof(v[0])),
		bitsOf(valid), C.uint64_t(len(v)))
}

func fillBytes(vector unsafe.Pointer, b *arrowrec.Bytes) {
	if b.Len() == 0 {
		return
	}
	data := (*C.char)(unsafe.Pointer(unsafe.SliceData(b.Data)))
	if len(b.Data) == 0 {
		data = (*C.char)(unsafe.Pointer(&b.Ends[0])) // any address: nothing is read
	}
	C.varve_fill_bytes(vector, data, (*C.int32_t)(&b.Ends[0]), bitsOf(&b.Valid), C.uint64_t(b.Len()))
}

func fillHeaders(vector unsafe.Pointer, r *arrowrec.Rows) error {
	if !C.varve_fill_lists(vector, (*C.int32_t)(&r.HeaderEnds[0]), C.uint64_t(r.Len)) {
		return errListMemory
	}
	child := C.duckdb_list_vector_get_child(vector)
	fillBytes(C.duckdb_struct_vector_get_child(child, 0), &r.HeaderKeys)
	fillBytes(C.duckdb_struct_vector_get_child(child, 1), &r.HeaderValues)
	return nil
}

// bitsOf is nil when nothing is null.
func bitsOf(m *arrowrec.Bitmap) *C.uint8_t {
	if m == nil || m.Nulls == 0 {
		return nil
	}
	return (*C.uint8_t)(&m.Bits[0])
}
