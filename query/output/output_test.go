package output

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/varve-log/varve/internal/arrowjson"
)

var testSchema = arrow.NewSchema([]arrow.Field{
	{Name: "n", Type: arrow.PrimitiveTypes.Int64},
	{Name: "t,s", Type: arrow.FixedWidthTypes.Timestamp_ms, Nullable: true},
	{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "blob", Type: arrow.BinaryTypes.Binary},
	{Name: "j", Type: arrow.BinaryTypes.String, Metadata: arrowjson.Mark()},
	{Name: "f", Type: arrow.PrimitiveTypes.Float64},
}, nil)

func testBatch(t testing.TB) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, testSchema)
	for _, row := range []string{
		`{"n":1,"t,s":"2001-01-02T03:04:05.678Z","text":"a \"b\", c\n\u001b[31m",` +
			`"blob":"AGEiXP8=",` +
			`"j":"{\"x\":\n1}","f":0.5}`,
		`{"n":-20,"t,s":null,"text":"","blob":"","j":"{broken","f":1e300}`,
		`{"n":300,"t,s":"1970-01-01T00:00:00Z","text":null,"blob":"YQ==","j":"2","f":0}`,
	} {
		if err := b.UnmarshalJSON([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	return b.NewRecordBatch()
}

func render(t *testing.T, f Format, o Options) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := New(f, &out, testSchema, o)
	if err == nil {
		err = w.Write(testBatch(t))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		f    Format
		o    Options
		want string
	}{
		{JSON, Options{}, `{"n":1,"t,s":"2001-01-02T03:04:05.678Z","text":"a \"b\", c\n\u001b[31m",` +
			`"blob":"\\x00a\"\\x5C\\xFF","j":{"x":1},"f":0.5}
{"n":-20,"t,s":null,"text":"","blob":"","j":"{broken","f":1e+300}
{"n":300,"t,s":"1970-01-01T00:00:00Z","text":null,"blob":"a","j":2,"f":0}
`},
		{CSV, Options{}, `n,"t,s",text,blob,j,f
1,2001-01-02T03:04:05.678Z,"a ""b"", c` + "\n\x1b" + `[31m","\x00a""\x5C\xFF",` +
			`"{""x"":` + "\n" + `1}",0.5
-20,,"","",{broken,1e+300
300,1970-01-01T00:00:00Z,,a,2,0
`},
		{Table, Options{}, "" +
			`  n  t,s                       text            blob            j              f
---  ------------------------  --------------  --------------  --------  ------
  1  2001-01-02T03:04:05.678Z  a "b", c␤�[31m  \x00a"\x5C\xFF  {"x":␤1}     0.5
-20  NULL                                                      {broken   1e+300
300  1970-01-01T00:00:00Z      NULL            a               2              0
(3 rows)
`},
		{Table, Options{Width: 60}, `  n  t,s          text         blob         j              f
---  -----------  -----------  -----------  --------  ------
  1  2001-01-02…  a "b", c␤�…  \x00a"\x5C…  {"x":␤1}     0.5
-20  NULL                                   {broken   1e+300
300  1970-01-01…  NULL         a            2              0
(3 rows)
`},
	} {
		if got := string(render(t, c.f, c.o)); got != c.want {
			t.Errorf("%s %+v\ngot\n%s\nwant\n%s", c.f, c.o, got, c.want)
		}
	}
}

func TestColumnar(t *testing.T) {
	stream, err := ipc.NewReader(bytes.NewReader(render(t, Arrow, Options{})))
	if err != nil {
		t.Fatal(err)
	}
	if !stream.Next() || !array.RecordEqual(stream.RecordBatch(), testBatch(t)) {
		t.Errorf("arrow stream: %v\n%v\n%v", stream.Err(), stream.RecordBatch(), testBatch(t))
	}
	pq, err := file.NewParquetReader(bytes.NewReader(render(t, Parquet, Options{})))
	if err != nil {
		t.Fatal(err)
	}
	fr, err := pqarrow.NewFileReader(pq, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := fr.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back := array.NewTableReader(tbl, 100)
	if !back.Next() || back.RecordBatch().NumRows() != 3 ||
		back.RecordBatch().Column(2).ValueStr(0) != "a \"b\", c\n\x1b[31m" {
		t.Error("parquet differs")
	}
}

func TestTableOfManyRowsIsStreamed(t *testing.T) {
	var out bytes.Buffer
	w, err := New(Table, &out, testSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec := testBatch(t)
	for range 1000 {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() == 0 {
		t.Error("3000 rows were all held back")
	}
	if err := w.Close(); err != nil || !strings.HasSuffix(out.String(), "(3000 rows)\n") {
		t.Errorf("%v: %.40q", err, out.String()[out.Len()-40:])
	}
}

func TestFormatNames(t *testing.T) {
	if _, err := ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), "want table, json") {
		t.Errorf("got %v", err)
	}
	if f, err := ParseFormat("csv"); err != nil || f != CSV || f.Binary() || !Parquet.Binary() {
		t.Error(f, err)
	}
}
