package file_test

import (
	"testing"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/file"
	"github.com/varve-log/varve/internal/objstore/objstoretest"
)

func open(t *testing.T, dir string) *file.Store {
	t.Helper()
	s, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	objstoretest.Run(t, func(t *testing.T) objstore.Store { return open(t, t.TempDir()) })
}
