//go:build cgo

package duck

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/varve-log/varve/internal/arrowjson"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query/table"
	"github.com/varve-log/varve/query/table/tabletest"
)

const (
	testPartitions = 5
	testSegments   = 8
	testBatches    = 3
	testRecords    = 50 // of a batch
	testStart      = 978307200000
	hour           = 3600_000
	thirdDay       = testStart + 2*24*hour
)

// row is what the tests expect of one record.
type row struct {
	partition int32
	offset    int64
	ts        int64
	key       string
	delay     int
}

// flights makes a topic of 5 partitions whose timestamps are out of order within a segment.
func flights(t testing.TB, codec record.Codec) (*tabletest.Source, []row) {
	t.Helper()
	src := tabletest.New()
	src.AddTopic("flights", testPartitions, table.JSON)
	var rows []row
	origins := []string{"ATL", "LAX", "ORD", "SFO"}
	for p := range int32(testPartitions) {
		offset := int64(0)
		for s := range testSegments {
			var batches []record.Batch
			for range testBatches {
				b := record.NewBuilder(codec)
				b.Reset()
				for i := range testRecords {
					r := row{
						p, offset, testStart + int64(s)*24*hour + (offset*7919%24)*hour,
						origins[(int(offset)+int(p))%4], (int(offset)*31 + i) % 200,
					}
					value := fmt.Appendf(nil, `{"origin":%q,"delay":%d}`, r.key, r.delay)
					b.Append(kafka.Timestamp(r.ts), []byte(r.key), value,
						record.Header{Key: "h", Value: []byte{byte(i)}})
					rows = append(rows, r)
					offset++
				}
				batch, err := b.Build()
				if err != nil {
					t.Fatal(err)
				}
				batches = append(batches, batch)
			}
			src.AddSegment("flights", p, batches...)
		}
	}
	return src, rows
}

func open(t testing.TB, src table.Source) *DB {
	t.Helper()
	db, err := Open(src, Options{MemoryBytes: 256 << 20, Threads: 2, CountPruned: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// ask returns the rows of a statement as lines of text, and what was read.
func ask(t testing.TB, db *DB, statement string) ([]string, Report) {
	t.Helper()
	r, err := db.Query(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	lines, err := drainText(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return lines, r.Report()
}

func drainText(ctx context.Context, r *Result) ([]string, error) {
	var lines []string
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return lines, err
		}
		for i := range int(rec.NumRows()) {
			var cells []string
			for _, c := range rec.Columns() {
				cells = append(cells, string(arrowjson.Text(c, arrowjson.Style{EscapeBytes: true})(nil, i)))
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
		rec.Release()
	}
}

func one(t testing.TB, db *DB, statement string) string {
	t.Helper()
	lines, _ := ask(t, db, statement)
	if len(lines) != 1 {
		t.Fatalf("%s: %d rows", statement, len(lines))
	}
	return lines[0]
}

// filterCases are predicates with what they admit and how many segments they leave to read.
var filterCases = []struct {
	where string
	want  func(r row) bool
	read  int64 // segments
}{
	{"true", func(row) bool { return true }, 40},
	{"partition = 2", func(r row) bool { return r.partition == 2 }, 8},
	{
		"partition IN (1, 3) AND \"offset\" < 10",
		func(r row) bool { return (r.partition == 1 || r.partition == 3) && r.offset < 10 }, 2,
	},
	{
		"\"offset\" BETWEEN 149 AND 150",
		func(r row) bool { return r.offset >= 149 && r.offset <= 150 }, 10,
	},
	{
		"\"offset\" > 149 AND \"offset\" <= 151",
		func(r row) bool { return r.offset > 149 && r.offset <= 151 }, 5,
	},
	{
		"5 > \"offset\" OR \"offset\" >= 1199",
		func(r row) bool { return 5 > r.offset || r.offset >= 1199 }, 10,
	},
	{
		"timestamp >= '2001-01-03' AND timestamp < '2001-01-04'",
		func(r row) bool { return r.ts >= thirdDay && r.ts < thirdDay+24*hour }, 5,
	},
	{
		"timestamp < TIMESTAMP '2001-01-01 03:00:00'",
		func(r row) bool { return r.ts < testStart+3*hour }, 5,
	},
	{"timestamp > now()", func(row) bool { return false }, 0},
	{"timestamp < now() - INTERVAL 1 DAY", func(row) bool { return true }, 40},
	{"key = 'ATL'::BLOB", func(r row) bool { return r.key == "ATL" }, 40},
	{
		"(value->>'origin') = 'ATL' AND partition = 0",
		func(r row) bool { return r.key == "ATL" && r.partition == 0 }, 8,
	},
	{
		"(value->>'delay')::INT > 100 OR partition = 0",
		func(r row) bool { return r.delay > 100 || r.partition == 0 }, 40,
	},
	{"NOT (partition = 0)", func(r row) bool { return r.partition != 0 }, 40},
	{
		"partition <> 0 AND \"offset\" = 3",
		func(r row) bool { return r.partition != 0 && r.offset == 3 }, 5,
	},
	{"partition = 1 AND partition = 2", func(row) bool { return false }, 0},
	{"timestamp IS NULL", func(row) bool { return false }, 40},
}

func TestFilterCounts(t *testing.T) {
	src, rows := flights(t, record.Snappy)
	db := open(t, src)
	for _, c := range filterCases {
		want := 0
		for _, r := range rows {
			if c.want(r) {
				want++
			}
		}
		lines, rep := ask(t, db, "SELECT count(*) FROM flights WHERE "+c.where)
		if lines[0] != fmt.Sprint(want) {
			t.Errorf("%s: count %s, want %d", c.where, lines[0], want)
		}
		var read int64
		for _, s := range rep.Scans {
			read += s.SegmentsRead
			if !s.Pruning {
				t.Errorf("%s: the plan gave no bounds", c.where)
			}
		}
		if read > c.read || c.read > 0 && read < c.read {
			t.Errorf("%s: read %d segments, want %d: %+v", c.where, read, c.read, rep.Scans)
		}
	}
}
