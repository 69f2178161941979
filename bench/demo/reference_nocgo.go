//go:build !cgo

package main

import (
	"context"
	"fmt"
)

// reference is what a build with cgo compares with; here there is none.
type reference struct{}

// openReference says what is left out.
func (d *demo) openReference(context.Context) error {
	fmt.Fprintln(d.out, "   not checked by DuckDB: built without a C compiler")
	return nil
}

func (r *reference) rows(context.Context, string) ([][]string, error) { return nil, nil }

func (r *reference) close() error { return nil }
