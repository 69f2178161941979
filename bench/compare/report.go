package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

func (b *bench) print(w io.Writer) error {
	if b.o.output == "json" {
		return b.printJSON(w)
	}
	return b.printMarkdown(w)
}

// printMarkdown writes the machine, the notes and the table.
func (b *bench) printMarkdown(w io.Writer) error {
	var s strings.Builder
	fmt.Fprintf(&s, "%s.\n\nMedians of %d rounds of %g s (minimum to maximum); ",
		b.machine, b.o.rounds, b.o.seconds)
	fmt.Fprintf(&s, "MB and GB are 10^6 and 10^9 bytes of record values. "+
		"The floor is a bare sink; for cold reads, the SDK alone.\n\n")
	for _, note := range b.results.notes {
		fmt.Fprintf(&s, "- %s\n", note)
	}
	if len(b.results.notes) > 0 {
		s.WriteByte('\n')
	}
	s.WriteString("| row | measured | Varve | Apache Kafka | floor | goal | reached | met |\n")
	s.WriteString("|---|---|---|---|---|---|---|---|\n")
	previous := ""
	for _, m := range b.results.order {
		row := m.row
		if row == previous {
			row = ""
		}
		previous = m.row
		fmt.Fprintf(&s, "| %s | %s |", row, m.name)
		for _, column := range columns {
			fmt.Fprintf(&s, " %s |", b.cell(m, column))
		}
		goal, reached, met := b.verdict(m)
		fmt.Fprintf(&s, " %s | %s | %s |\n", goal, reached, met)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

func (b *bench) cell(m metric, column string) string {
	v, ok := b.results.of(m, column)
	switch {
	case !ok:
		return ""
	case len(v.Rounds) == 1:
		return number(v.Median)
	}
	return fmt.Sprintf("%s (%s–%s)", number(v.Median), number(v.Min), number(v.Max))
}

// verdict gives a line's goal, what was reached and whether that is enough; empty where there is no
// goal or something for it was not measured.
func (b *bench) verdict(m metric) (want, reached, met string) {
	g, ok := goals[m]
	if !ok {
		return "", "", ""
	}
	sign := "≥"
	if g.atMost {
		sign = "≤"
	}
	want = strings.TrimSpace(fmt.Sprintf("%s %s%s %s", sign, number(g.limit), g.unit, g.text))
	value := g.of(b.results, m)
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return want, "", ""
	}
	met = "no"
	if g.met(value) {
		met = "yes"
	}
	return want, number(value) + g.unit, met
}

// number writes three digits or so.
func number(v float64) string {
	switch a := math.Abs(v); {
	case v == math.Trunc(v) && a < 1e6, a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// line is one line of the table as JSON.
type line struct {
	Row      string             `json:"row"`
	Measured string             `json:"measured"`
	Values   map[string]summary `json:"values"`
	Goal     string             `json:"goal,omitempty"`
	Reached  string             `json:"reached,omitempty"`
	Met      string             `json:"met,omitempty"`
}

func (b *bench) printJSON(w io.Writer) error {
	out := struct {
		Machine machine  `json:"machine"`
		Rounds  int      `json:"rounds"`
		Seconds float64  `json:"seconds"`
		Notes   []string `json:"notes"`
		Lines   []line   `json:"lines"`
	}{b.machine, b.o.rounds, b.o.seconds, b.results.notes, nil}
	for _, m := range b.results.order {
		l := line{Row: m.row, Measured: m.name, Values: map[string]summary{}}
		for _, column := range columns {
			if v, ok := b.results.of(m, column); ok {
				l.Values[column] = v
			}
		}
		l.Goal, l.Reached, l.Met = b.verdict(m)
		out.Lines = append(out.Lines, l)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
