package output

import (
	"bufio"
	"encoding/json"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/varve-log/varve/internal/arrowjson"
)

type ndjson struct {
	w      *bufio.Writer
	schema *arrow.Schema
	names  [][]byte // `"name":`, after the first with a comma before
	row    []byte
}

func newNDJSON(w *bufio.Writer, schema *arrow.Schema) *ndjson {
	n := &ndjson{w: w, schema: schema}
	for i, f := range schema.Fields() {
		var name []byte
		if i > 0 {
			name = append(name, ',')
		}
		n.names = append(n.names, append(arrowjson.AppendString(name, f.Name), ':'))
	}
	return n
}

func (n *ndjson) Write(rec arrow.RecordBatch) error {
	columns := make([]arrowjson.Appender, rec.NumCols())
	for c := range columns {
		columns[c] = n.column(rec, c)
	}
	for i := range int(rec.NumRows()) {
		row := append(n.row[:0], '{')
		for c, app := range columns {
			row = app(append(row, n.names[c]...), i)
		}
		n.row = append(row, '}', '\n')
		if _, err := n.w.Write(n.row); err != nil {
			return err
		}
	}
	return nil
}

func (n *ndjson) column(rec arrow.RecordBatch, c int) arrowjson.Appender {
	text, ok := rec.Column(c).(*array.String)
	if !ok || !arrowjson.Marked(n.schema.Field(c)) {
		return arrowjson.Of(rec.Column(c), style)
	}
	quoted := arrowjson.Of(text, style)
	return func(dst []byte, i int) []byte {
		if v := text.Value(i); text.IsValid(i) && json.Valid([]byte(v)) {
			return appendCompact(dst, v)
		}
		return quoted(dst, i)
	}
}

// appendCompact appends valid JSON on one line: raw line breaks can only be white space in it.
func appendCompact(dst []byte, v string) []byte {
	for i := range len(v) {
		if v[i] != '\n' && v[i] != '\r' {
			dst = append(dst, v[i])
		}
	}
	return dst
}

func (n *ndjson) Close() error { return n.w.Flush() }
