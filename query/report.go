package query

import (
	"fmt"
	"io"
	"strings"

	"github.com/varve-log/varve/query/duck"
)

// WriteReport writes what a statement read and pruned, for people: one line for each run of a
// reference to a topic, then the requests to the bucket.
func WriteReport(w io.Writer, r duck.Report) error {
	var b strings.Builder
	for _, s := range r.Scans {
		pruning := ""
		if !s.Pruning {
			pruning = " (no bounds found in the statement's plan)"
		}
		columns := strings.Join(s.Columns, ", ")
		if columns == "" {
			columns = "none"
		}
		fmt.Fprintf(&b, "scan %s: columns %s%s\n", s.Topic, columns, pruning)
		fmt.Fprintf(&b, "  segments %d: read %d, pruned %d\n",
			s.Segments, s.SegmentsRead, s.SegmentsPruned)
		fmt.Fprintf(&b, "  bytes    %s: read %s, pruned %s\n",
			size(s.Bytes), size(s.BytesRead), size(s.BytesPruned))
		fmt.Fprintf(&b, "  records  %d\n", s.Rows)
	}
	fmt.Fprintf(&b, "bucket: %d GETs, %s\n", r.Traffic.GETs, size(r.Traffic.GETBytes))
	_, err := io.WriteString(w, b.String())
	return err
}

// size is a number of bytes in binary units.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, u := float64(n)/1024, 0
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	return fmt.Sprintf("%.1f %ciB", f, units[u])
}
