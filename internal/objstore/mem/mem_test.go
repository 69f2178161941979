package mem_test

import (
	"testing"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/internal/objstore/objstoretest"
)

func TestConformance(t *testing.T) {
	objstoretest.Run(t, func(*testing.T) objstore.Store { return mem.New() })
}

func TestNamedStoresAreShared(t *testing.T) {
	a, b, c := mem.Named(t.Name()), mem.Named(t.Name()), mem.Named(t.Name()+"2")
	if _, err := a.Put(t.Context(), "k", objstore.Bytes(nil), objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Head(t.Context(), "k"); err != nil {
		t.Errorf("the same name shows other objects: %v", err)
	}
	if _, err := c.Head(t.Context(), "k"); err == nil {
		t.Error("another name shows the same objects")
	}
}
