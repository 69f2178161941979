package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/varve-log/varve/kafka"
)

func write(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read returns "number key timestamp value" of each row.
func read(t *testing.T, path string, o Options) ([]string, error) {
	t.Helper()
	r, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	var out []string
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		key := "-"
		if row.Key != nil {
			key = string(row.Key)
		}
		out = append(out, fmt.Sprintf("%d %s %d %s", row.Number, key, row.Timestamp, row.Value))
	}
}

func check(t *testing.T, path string, o Options, want ...string) {
	t.Helper()
	got, err := read(t, path, o)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNDJSON(t *testing.T) {
	path := write(t, "a.ndjson", []byte(`{"k":"a","t":1000,"x":{"k":[1,"}"]}}

  {"x":"\"k\"", "k" : 7 , "t":"1970-01-01T00:00:02Z"}
{"k":null,"t":null}
{"k":"\u00e9\n","t":"1970-01-01 00:00:03.5"}`))
	check(t, path, Options{Key: "k", Timestamp: "t"},
		`1 a 1000 {"k":"a","t":1000,"x":{"k":[1,"}"]}}`,
		`3 7 2000 {"x":"\"k\"", "k" : 7 , "t":"1970-01-01T00:00:02Z"}`,
		`4 - -1 {"k":null,"t":null}`,
		"5 é\n 3500 "+`{"k":"\u00e9\n","t":"1970-01-01 00:00:03.5"}`)
}

func TestNDJSONLongLine(t *testing.T) {
	long := `{"k":"` + strings.Repeat("x", 1<<20) + `"}`
	check(t, write(t, "a.ndjson", []byte(long+"\n{}\n")), Options{}, "1 - -1 "+long, "2 - -1 {}")
}

func TestCSV(t *testing.T) {
	path := write(t, "a.csv", []byte("\ufeffid,when,\"na\"\"me\",n\n"+
		"a,2001-01-02T03:04:05Z,\"x, \"\"y\"\"\n\",1.50\n"+
		",,true,007\nc,5,\"\",-1e5\n"))
	check(t, path, Options{Key: "id", Timestamp: "when"},
		`1 a 978404645000 {"id":"a","when":"2001-01-02T03:04:05Z","na\"me":"x, \"y\"\n","n":1.50}`,
		`2 - -1 {"id":null,"when":null,"na\"me":true,"n":"007"}`,
		`3 c 5 {"id":"c","when":5,"na\"me":null,"n":-1e5}`)
}

func parquetFile(t testing.TB) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
		{Name: "day", Type: arrow.FixedWidthTypes.Date32},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "f", Type: arrow.PrimitiveTypes.Float64},
		{Name: "u", Type: arrow.PrimitiveTypes.Uint64},
		{Name: "bin", Type: arrow.BinaryTypes.Binary},
		{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32)},
		{Name: "d", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, row := range []string{
		`{"at":"2001-01-13 16:30:00.25","day":"2001-01-13","s":"a\"b","f":1.5,` +
			`"u":18446744073709551615,"bin":"AAE=","l":[1,2],"d":"12.30"}`,
		`{"at":null,"day":"1970-01-01","s":null,"f":1e21,"u":0,"bin":"","l":[],"d":"-0.01"}`,
	} {
		if err := b.UnmarshalJSON([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(),
		pqarrow.NewArrowWriterProperties())
	if err == nil {
		err = errors.Join(w.Write(b.NewRecordBatch()), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestParquet(t *testing.T) {
	path := write(t, "a.parquet", parquetFile(t))
	first := `{"at":"2001-01-13T16:30:00.25Z","day":"2001-01-13","s":"a\"b","f":1.5,` +
		`"u":18446744073709551615,"bin":"AAE=","l":[1,2],"d":12.3}`
	second := `{"at":null,"day":"1970-01-01","s":null,"f":1e+21,"u":0,"bin":"","l":[],"d":-0.01}`
	check(t, path, Options{Key: "s", Timestamp: "at"},
		"1 a\"b 979403400250 "+first, "2 - -1 "+second)
	check(t, path, Options{Key: "at", Timestamp: "day"},
		"1 2001-01-13T16:30:00.25Z 979344000000 "+first, "2 - 0 "+second)
}

func TestBadFiles(t *testing.T) {
	good := parquetFile(t)
	broken := bytes.Clone(good)
	for i := 20; i < 60; i++ {
		broken[i] ^= 0xa5
	}
	for _, c := range []struct {
		name    string
		content []byte
		o       Options
		want    string
	}{
		{"a.parquet", []byte("no parquet at all"), Options{}, "is not a readable Parquet file"},
		{"a.parquet", nil, Options{}, "is not a readable Parquet file"},
		{"a.parquet", good[:len(good)/2], Options{}, "is not a readable Parquet file"},
		{"a.parquet", broken, Options{}, "is not a readable Parquet file"},
		{"a.parquet", good, Options{Key: "nope"}, `no column "nope" for the key: it has at, day, s`},
		{"a.parquet", good, Options{Timestamp: "f"}, "row 1: timestamp"},
		{"a.csv", nil, Options{}, "is empty"},
		{"a.csv", []byte("a,b\n1\n"), Options{}, "wrong number of fields"},
		{"a.csv", []byte("a\nyesterday\n"), Options{Timestamp: "a"}, "row 1: timestamp"},
		{"a.ndjson", []byte("{}\n[1]\n"), Options{}, "line 2 is not a JSON object"},
		{"a.ndjson", []byte("{\"a\":1}\n{\n"), Options{}, "line 2 is not a JSON object"},
		{"a.ndjson", []byte("{}\n"), Options{Key: "k"}, `line 1 has no field "k"`},
		{"a.ndjson", []byte(`{"t":"1960-01-01"}`), Options{Timestamp: "t"}, "before 1970"},
		{"a.txt", []byte("x"), Options{}, "name ndjson, csv or parquet"},
		{"a.csv", []byte("x"), Options{Format: "xml"}, "unknown file format"},
	} {
		_, err := read(t, write(t, c.name, c.content), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.20q: %v, want %q", c.name, c.content, err, c.want)
		}
	}
	_, err := Open("/nonexistent/x.csv", Options{})
	if err == nil || !strings.Contains(err.Error(), "check the path") {
		t.Errorf("missing file: %v", err)
	}
}

func TestIsNumber(t *testing.T) {
	for s, want := range map[string]bool{
		"0": true, "-0": true, "10": true, "1.5": true, "1e5": true, "-1.2E-3": true,
		"": false, "-": false, "01": false, "1.": false, ".5": false, "1e": false, "+1": false,
		"0x1": false, "NaN": false, "1e9999": false, "1 ": false,
	} {
		if isNumber(s) != want {
			t.Errorf("isNumber(%q) = %v", s, !want)
		}
	}
}

func FuzzMember(f *testing.F) {
	f.Add([]byte(`{"a":{"b":["]}"]},"k" : "v\"" }`))
	f.Fuzz(func(t *testing.T, line []byte) {
		n := newNDJSON(io.NopCloser(bytes.NewReader(line)), "f", 0, Options{Key: "k", Timestamp: "a"})
		for {
			row, err := n.Next()
			if err != nil {
				return
			}
			if row.Timestamp < kafka.NoTimestamp || row.Timestamp == math.MaxInt64 {
				t.Log(row.Timestamp)
			}
		}
	})
}

// flightsEnv names the real data set; without it the benchmark reads the small file.
const flightsEnv = "VARVE_FLIGHTS"

func BenchmarkParquet(b *testing.B) {
	path := os.Getenv(flightsEnv)
	o := Options{Key: "origin", Timestamp: "date"}
	if path == "" {
		path, o = write(b, "a.parquet", parquetFile(b)), Options{}
	}
	began, rows := time.Now(), 0
	for b.Loop() {
		r, err := Open(path, o)
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err != nil {
				break
			}
			rows++
		}
		_ = r.Close()
	}
	b.ReportMetric(float64(rows)/time.Since(began).Seconds(), "rows/s")
}
