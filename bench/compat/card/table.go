package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
)

const (
	document    = "docs/compatibility.md"
	markerBegin = "<!-- report card -->"
	markerEnd   = "<!-- end of report card -->"
)

// report collects results. Its zero value is empty and ready.
type report struct {
	mu      sync.Mutex
	results []result
}

func (r *report) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results = append(r.results, one)
}

// rows are the clients of a table in order.
func (r *report) rows(table string) []string {
	var names []string
	for _, each := range r.results {
		if name := each.Client + " " + each.Version; each.table == table && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// of are the results of a client by scenario; the worst of several rounds counts.
func (r *report) of(table, name string) map[string]result {
	found := map[string]result{}
	for _, each := range r.results {
		if each.table != table || each.Client+" "+each.Version != name {
			continue
		}
		if old, ok := found[each.Scenario]; !ok || old.Result != "fail" {
			found[each.Scenario] = each
		}
	}
	return found
}

// markdown is the section of the document.
func (r *report) markdown() string {
	var b strings.Builder
	r.clients(&b)
	r.tools(&b)
	r.suites(&b)
	return b.String()
}

func (r *report) clients(b *strings.Builder) {
	rows := r.rows("clients")
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(
		b, "| client | %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)),
	)
	var notes []string
	for _, name := range rows {
		found := r.of("clients", name)
		if lost, ok := found[""]; ok {
			fmt.Fprintf(b, "| %s | not run |%s\n", name, strings.Repeat(" |", len(columns)-1))
			notes = append(notes, fmt.Sprintf("- %s: not run: %s", name, lost.Detail))
			continue
		}
		fmt.Fprintf(b, "| %s |", name)
		for _, column := range columns {
			one, ok := found[column]
			text := one.Result
			if !ok {
				text = "not run"
			}
			fmt.Fprintf(b, " %s |", text)
			if one.Detail != "" && one.Result == "pass" {
				notes = append(notes, fmt.Sprintf("- %s, %s: %s", name, column, one.Detail))
			}
		}
		b.WriteString("\n")
	}
	if len(notes) > 0 {
		b.WriteString("\n\"absent\": the library has no such feature. What it lacks within a scenario:\n\n")
		fmt.Fprintf(b, "%s\n", strings.Join(notes, "\n"))
	}
}

func (r *report) tools(b *strings.Builder) {
	for _, name := range r.rows("tools") {
		fmt.Fprintf(b, "\n| %s | result |\n|---|---|\n", name)
		found := r.of("tools", name)
		var names []string
		for each := range found {
			names = append(names, each)
		}
		sort.Strings(names)
		for _, each := range names {
			label := each
			if label == "" {
				label = "all"
			}
			fmt.Fprintf(b, "| %s | %s%s |\n", label, found[each].Result, note(found[each]))
		}
	}
}

func note(r result) string {
	if r.Detail == "" || r.Result == "fail" {
		return ""
	}
	return ": " + strings.ReplaceAll(r.Detail, "|", "\\|")
}

func (r *report) suites(b *strings.Builder) {
	for _, name := range r.rows("suites") {
		for _, each := range r.of("suites", name) {
			fmt.Fprintf(b, "\n%s, its own integration tests: %s.\n", name, each.Detail)
		}
	}
}

// plain is the table for a terminal, and why what failed did.
func (r *report) plain() string {
	var b strings.Builder
	b.WriteString(r.markdown())
	for _, each := range r.results {
		if each.Result == "fail" {
			fmt.Fprintf(&b, "\nFAIL %s", each)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// judge compares with the document, or rewrites it.
func (r *report) judge(o options) error {
	var wrong []string
	failed := 0
	for _, each := range r.results {
		switch each.Result {
		case "fail":
			failed++
		case "not run":
			if os.Getenv("CI") == "true" {
				wrong = append(wrong, fmt.Sprintf("%s %s is not run, which CI must: %s",
					each.Client, each.Version, each.Detail))
			}
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), markerBegin+"\n")
	promised, after, ok2 := strings.Cut(rest, markerEnd)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no %s ... %s", document, markerBegin, markerEnd)
	}
	if o.rewrite {
		text := before + markerBegin + "\n" + strings.TrimLeft(r.markdown(), "\n") + markerEnd + after
		if err := os.WriteFile(filepath.Clean(document), []byte(text), 0o644); err != nil {
			return err
		}
	} else {
		wrong = append(wrong, r.broken(promised)...)
	}
	if failed > 0 {
		wrong = append(wrong, fmt.Sprintf("%d scenarios failed", failed))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "\ncard: "))
	}
	return nil
}

// broken lists the passes that the document promises and this run, of the same client, did not see.
func (r *report) broken(promised string) (wrong []string) {
	for line := range strings.Lines(promised) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		name := strings.TrimSpace(cells[0])
		if len(cells) != len(columns)+1 || !slices.Contains(r.rows("clients"), name) {
			continue
		}
		found := r.of("clients", name)
		if _, lost := found[""]; lost {
			continue // told above
		}
		for i, column := range columns {
			one, ran := found[column]
			if strings.TrimSpace(cells[i+1]) == "pass" && ran && one.Result == "absent" {
				wrong = append(wrong, fmt.Sprintf("%s: %s passes in %s and is absent now", name, column, document))
			}
		}
	}
	return wrong
}
