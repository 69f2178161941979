package output

import (
	"bufio"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/text/width"

	"github.com/varve-log/varve/internal/arrowjson"
)

// sampleRows is how many rows a table is measured by.
const sampleRows = 1000

// cellMin is the least width that a column is cut to on a terminal.
const cellMin = 8

// textTable holds the first rows until the widths are known, then writes row by row.
type textTable struct {
	w      *bufio.Writer
	schema *arrow.Schema
	width  int // of the terminal, or 0
	right  []bool
	widths []int // nil until they are known
	sample [][]string
	rows   int64
	buf    []byte
}

func newTable(w *bufio.Writer, schema *arrow.Schema, terminal int) *textTable {
	t := &textTable{w: w, schema: schema, width: terminal}
	for _, f := range schema.Fields() {
		id := f.Type.ID()
		t.right = append(t.right, arrow.IsInteger(id) || arrow.IsFloating(id) || arrow.IsDecimal(id))
	}
	return t
}

func (t *textTable) Write(rec arrow.RecordBatch) error {
	columns := make([]arrowjson.Appender, rec.NumCols())
	for c := range columns {
		columns[c] = arrowjson.Text(rec.Column(c), style)
	}
	t.rows += rec.NumRows()
	for i := range int(rec.NumRows()) {
		cells := make([]string, len(columns))
		for c, app := range columns {
			cells[c] = "NULL"
			if rec.Column(c).IsValid(i) {
				t.buf = app(t.buf[:0], i)
				cells[c] = printable(string(t.buf))
			}
		}
		if err := t.add(cells); err != nil {
			return err
		}
	}
	return nil
}

func (t *textTable) add(cells []string) error {
	if t.widths != nil {
		return t.line(cells)
	}
	t.sample = append(t.sample, cells)
	if len(t.sample) < sampleRows {
		return nil
	}
	return t.begin()
}

// begin settles the widths and writes the header and the sampled rows.
func (t *textTable) begin() error {
	t.widths = make([]int, t.schema.NumFields())
	header := make([]string, len(t.widths))
	for c, f := range t.schema.Fields() {
		header[c] = printable(f.Name)
		t.widths[c] = displayWidth(header[c])
	}
	for _, cells := range t.sample {
		for c, s := range cells {
			t.widths[c] = max(t.widths[c], displayWidth(s))
		}
	}
	t.shrink()
	rule := make([]string, len(t.widths))
	for c, w := range t.widths {
		rule[c] = strings.Repeat("-", w)
	}
	lines := append([][]string{header, rule}, t.sample...)
	t.sample = nil
	for _, cells := range lines {
		if err := t.line(cells); err != nil {
			return err
		}
	}
	return nil
}

// shrink cuts the widest columns, down to cellMin, until a line fits the terminal.
func (t *textTable) shrink() {
	total := 2 * (len(t.widths) - 1)
	for _, w := range t.widths {
		total += w
	}
	for t.width > 0 && total > t.width {
		widest := 0
		for c, w := range t.widths {
			if w > t.widths[widest] {
				widest = c
			}
		}
		if t.widths[widest] <= cellMin {
			return
		}
		t.widths[widest]--
		total--
	}
}

func (t *textTable) line(cells []string) error {
	b := t.buf[:0]
	for c, s := range cells {
		if t.width > 0 {
			s = cut(s, t.widths[c])
		}
		pad := max(0, t.widths[c]-displayWidth(s))
		if c > 0 {
			b = append(b, "  "...)
		}
		if t.right[c] {
			b = appendSpaces(b, pad)
		}
		b = append(b, s...)
		if !t.right[c] && c < len(cells)-1 {
			b = appendSpaces(b, pad)
		}
	}
	t.buf = append(b, '\n')
	_, err := t.w.Write(t.buf)
	return err
}

func (t *textTable) Close() error {
	if t.widths == nil {
		if err := t.begin(); err != nil {
			return err
		}
	}
	noun := " rows)\n"
	if t.rows == 1 {
		noun = " row)\n"
	}
	if _, err := t.w.WriteString("(" + strconv.FormatInt(t.rows, 10) + noun); err != nil {
		return err
	}
	return t.w.Flush()
}

func appendSpaces(b []byte, n int) []byte {
	for range n {
		b = append(b, ' ')
	}
	return b
}

// cut shortens s to a width, ending in an ellipsis where something is left out.
func cut(s string, limit int) string {
	if displayWidth(s) <= limit {
		return s
	}
	used := 0
	for i, r := range s {
		if used+runeWidth(r) > limit-1 {
			return s[:i] + "…"
		}
		used += runeWidth(r)
	}
	return s
}

func displayWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	if unicode.Is(unicode.Mn, r) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// printable replaces what would move the cursor or begin an escape sequence.
func printable(s string) string {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f || s[i] >= utf8.RuneSelf {
			return strings.Map(visible, s)
		}
	}
	return s
}

func visible(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r == '\n', r == '\r':
		return '␤'
	case unicode.IsControl(r):
		return '�'
	}
	return r
}
