package duck

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/varve-log/varve/query/table"
)

// ErrNeedsCgo is returned by Open in a binary that was built without cgo.
var ErrNeedsCgo = errors.New("this varve was built without DuckDB: " +
	"install a C compiler (Debian: apt-get install build-essential) " +
	"and build it with CGO_ENABLED=1 go build ./cmd/varve")

// Defaults of Options.
const (
	DefaultMemoryBytes = 1 << 30
	DefaultTempBytes   = 16 << 30
)

// Options bounds what statements may use. The zero value is replaced by defaults.
type Options struct {
	// MemoryBytes bounds DuckDB's memory, at least 64 MiB. Default 1 GiB. The Go side adds the
	// read-ahead of the source and a few MiB per thread.
	MemoryBytes int64
	// Threads is how many threads a statement uses. Default: the number of CPUs.
	Threads int
	// TempDir is where DuckDB spills. Default: the statement fails when its memory is used up.
	TempDir string
	// TempBytes bounds what is spilled. Default 16 GiB.
	TempBytes int64
	// CountPruned lists the segments of pruned partitions too, so that a Report counts them.
	CountPruned bool
}

// withDefaults fills in and checks.
func (o Options) withDefaults() (Options, error) {
	if o.MemoryBytes == 0 {
		o.MemoryBytes = DefaultMemoryBytes
	}
	if o.TempBytes == 0 {
		o.TempBytes = DefaultTempBytes
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.MemoryBytes < 64<<20 || o.TempBytes < 0 || o.Threads < 1 || o.Threads > 1024 {
		return o, fmt.Errorf("query limits: memory %d bytes (at least 64 MiB), temporary files %d "+
			"bytes (not negative), threads %d (1 to 1024)", o.MemoryBytes, o.TempBytes, o.Threads)
	}
	return o, nil
}

// StatementError is DuckDB's refusal of a statement, with the position where it gives one.
type StatementError struct {
	Message string
	Hint    string // may be empty
}

func (e *StatementError) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "\n" + e.Hint
}

// Report tells what a statement read. Segments that a LIMIT kept from being looked at are not
// counted.
type Report struct {
	Scans   []ScanReport  `json:"scans"`
	Traffic table.Traffic `json:"traffic"`
}

// ScanReport is one run of one reference to a topic.
type ScanReport struct {
	Topic string `json:"topic"`
	// Pruning is false when the plan gave no bounds for the scan.
	Pruning        bool     `json:"pruning"`
	Columns        []string `json:"columns"`
	Segments       int64    `json:"segments"`
	SegmentsPruned int64    `json:"segments_pruned"`
	SegmentsRead   int64    `json:"segments_read"`
	Bytes          int64    `json:"bytes"`
	BytesPruned    int64    `json:"bytes_pruned"`
	// BytesRead is the size of the segments that were begun; an offset bound reads parts of them.
	BytesRead int64 `json:"bytes_read"`
	Rows      int64 `json:"rows"`
}
