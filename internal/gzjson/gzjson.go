// Package gzjson writes and reads the immutable objects of the catalog: one JSON value, gzipped, which
// the standard library of any language reads.
//
// catalog/manifest and catalog/cluster call it and give its errors their own class: an object that does
// not decode is corrupt.
//
// Not here: heads, which are plain JSON (catalog/register), and formats' versions.
package gzjson

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// Encode gives v as gzipped JSON. The same value gives the same bytes.
func Encode(v any) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Decode reads gzipped JSON into v. What inflates to more than bytesMax is refused before it takes
// memory.
func Decode(raw []byte, bytesMax int64, v any) error {
	r, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	plain, err := io.ReadAll(io.LimitReader(r, bytesMax+1))
	if err != nil {
		return err
	}
	if int64(len(plain)) > bytesMax {
		return fmt.Errorf("inflates to more than %d bytes", bytesMax)
	}
	return json.Unmarshal(plain, v)
}
