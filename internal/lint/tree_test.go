package lint

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/varve-log/varve"

// source is one parsed file. Path is relative to the module's root, with slashes.
type source struct {
	path string
	text []byte
	file *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// dir is the package's folder, "." for the root.
func (s source) dir() string { return filepath.ToSlash(filepath.Dir(s.path)) }

func (s source) lines() int { return bytes.Count(s.text, []byte("\n")) }

var fileSet = token.NewFileSet()

// sources parses the module once for all tests.
var sources = sync.OnceValues(func() ([]source, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	var all []source
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" ||
				name == "node_modules" || name == "varve-data") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(fileSet, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		all = append(all, source{filepath.ToSlash(relative), text, file})
		return nil
	})
	return all, err
})

func tree(t *testing.T) []source {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d Go files found: the walk is broken", len(all))
	}
	return all
}

// allowances are exceptions that were used, so that stale ones can be told.
type allowances struct {
	given map[string]string
	used  map[string]bool
}

func allow(given map[string]string) *allowances {
	return &allowances{given, map[string]bool{}}
}

func (a *allowances) has(key string) bool {
	if _, ok := a.given[key]; ok {
		a.used[key] = true
		return true
	}
	return false
}

func (a *allowances) checkStale(t *testing.T) {
	t.Helper()
	for key := range a.given {
		if !a.used[key] {
			t.Errorf("exception for %s is not needed any more: remove it from exceptions_test.go", key)
		}
	}
}
