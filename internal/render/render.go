package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// JSON writes v as one indented document.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Table is rows under named columns. The zero value is not useful: see NewTable.
type Table struct {
	columns []string
	rows    [][]string
	left    []bool // a column with any cell that is not a number is aligned left
}

// NewTable makes a table without rows.
func NewTable(columns ...string) *Table {
	return &Table{columns: columns, left: make([]bool, len(columns))}
}

// Row adds a row of exactly one cell a column; anything but strings is printed by fmt.Sprint.
func (t *Table) Row(cells ...any) {
	row := make([]string, len(t.columns))
	for i := range row {
		row[i] = fmt.Sprint(cells[i])
		if _, isText := cells[i].(string); isText && row[i] != "-" {
			t.left[i] = true
		}
	}
	t.rows = append(t.rows, row)
}

// Write prints the table, column names first, two spaces between columns.
func (t *Table) Write(w io.Writer) error {
	widths := make([]int, len(t.columns))
	for _, row := range append([][]string{t.columns}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	t.line(&b, t.columns, widths)
	for _, row := range t.rows {
		t.line(&b, row, widths)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *Table) line(b *strings.Builder, row []string, widths []int) {
	var line strings.Builder
	for i, cell := range row {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if i > 0 {
			line.WriteString("  ")
		}
		if t.left[i] {
			line.WriteString(cell + pad)
		} else {
			line.WriteString(pad + cell)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// Bytes says a size for people: "0 B", "999 B", "1.50 KiB", "12.0 GiB".
func Bytes(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for value >= 1000 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return threeDigits(value) + " " + units[unit]
}

// Count says a number with thousands apart: "3,000,000".
func Count(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// Seconds says a duration for people: "850 ms", "12.3 s", "4m10s", "3h02m".
func Seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return threeDigits(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Minute:
		return threeDigits(d.Seconds()) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

func threeDigits(v float64) string {
	switch {
	case v >= 100 || v == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
