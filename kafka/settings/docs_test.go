package settings

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// rewrite makes the tables of the document instead of comparing them:
// go test ./kafka/settings -run Document -rewrite
var rewrite = flag.Bool("rewrite", false, "rewrite the tables of docs/configuration.md")

const document = "../../docs/configuration.md"

func TestDocumentHasTheTables(t *testing.T) {
	read, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := string(read)
	for name, table := range map[string]string{
		"topic settings": topicTable(), "agent settings": agentTable(), "group settings": groupTable(),
	} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		had, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no section %q", document, name)
		}
		if had != table && !*rewrite {
			t.Errorf("%s: the table of %s is not that of the code; `go test ./kafka/settings "+
				"-run Document -rewrite` writes it anew", document, name)
		}
		text = before + begin + table + end + after
	}
	if *rewrite {
		if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// head begins a table; agentSide is the heading of the column of agent settings, or none.
func head(b *strings.Builder, agentSide string) {
	cells := []string{"setting", "type", "unit", "default", "bound"}
	if agentSide != "" {
		cells = append(cells, agentSide)
	}
	cells = append(cells, "status", "meaning")
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(cells, " | "), strings.Repeat("---|", len(cells)))
}

// row is one setting of a table. The name is Kafka's unless it starts with "varve.".
func row(b *strings.Builder, s *Setting, agentSide bool) {
	unit, bound := s.Unit(), s.Bound()
	if unit == "" {
		unit = "-"
	}
	if bound == "" {
		bound = "-"
	}
	cells := []string{"`" + s.Name + "`", strings.ToLower(s.Type.String()), unit, shown(s), bound}
	if agentSide {
		name := "-"
		if s.AgentName != "" {
			name = "`" + s.AgentName + "`"
			for _, c := range s.Coarser {
				name += ", `" + c.Name + "`"
			}
		}
		cells = append(cells, name)
	}
	fmt.Fprintf(b, "| %s |\n", strings.Join(append(cells, status(s), s.Doc), " | "))
}

func topicTable() string {
	var b strings.Builder
	head(&b, "agent's setting")
	for _, s := range TopicSettings() {
		row(&b, s, true)
	}
	return b.String()
}

// agentTable lists the agent settings that are no topic setting's default.
func agentTable() string {
	var b strings.Builder
	head(&b, "")
	for _, s := range ownAgentSettings {
		row(&b, s, false)
	}
	return b.String()
}

func groupTable() string {
	var b strings.Builder
	head(&b, "agent's setting")
	for _, s := range GroupSettings() {
		row(&b, s, true)
	}
	for _, name := range slices.Sorted(maps.Keys(unsupportedGroupSettings)) {
		fmt.Fprintf(&b, "| `%s` | | | | | - | refused: %s | |\n", name, unsupportedGroupSettings[name])
	}
	return b.String()
}

func shown(s *Setting) string {
	if s.Default == "" {
		return "none"
	}
	return "`" + s.Default + "`"
}

func status(s *Setting) string {
	switch {
	case s.Unsupported != "":
		return "default only: " + s.Unsupported
	case s.ReadOnly:
		return "honoured, at start"
	case s.Hidden:
		return "honoured, shown when given"
	}
	return "honoured"
}
