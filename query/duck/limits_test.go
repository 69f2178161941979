//go:build cgo

package duck

import (
	"os"
	"strings"
	"testing"

	"github.com/varve-log/varve/query/table/tabletest"
)

// A sort of more than the memory limit spills into the temporary directory, sandbox or not; without
// one it fails with DuckDB's sentence.
func TestSpill(t *testing.T) {
	const sorted = "SELECT sum(n) FROM (SELECT row_number() OVER (ORDER BY hash(range)) AS n, " +
		"repeat('x', 100) AS pad FROM range(1500000)) WHERE length(pad) = 100"
	dir := t.TempDir()
	for _, temp := range []string{dir, ""} {
		o := Options{MemoryBytes: 64 << 20, Threads: 1, TempDir: temp}
		db, err := Open(tabletest.New(), o)
		if err != nil {
			t.Fatal(err)
		}
		r, err := db.Query(t.Context(), sorted)
		var lines []string
		if err == nil {
			lines, err = drainText(t.Context(), r)
			_ = r.Close()
		}
		if closeErr := db.Close(); closeErr != nil {
			t.Fatal(closeErr)
		}
		switch {
		case temp != "" && (err != nil || lines[0] != "1125000750000"):
			t.Errorf("with a temporary directory: %v %v", lines, err)
		case temp == "" && (err == nil || !strings.Contains(err.Error(), "Out of Memory")):
			t.Errorf("without a temporary directory: %v %v", lines, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{{MemoryBytes: 1}, {Threads: -1}, {TempBytes: -1}} {
		if _, err := Open(tabletest.New(), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
