package settings

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// rewrite makes the tables of the document instead of comparing them:
// go test ./kafka/settings -run Document -rewrite
var rewrite = flag.Bool("rewrite", false, "rewrite the tables of docs/compatibility.md")

const document = "../../docs/compatibility.md"

func TestDocumentHasTheTables(t *testing.T) {
	read, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	text := string(read)
	for name, table := range map[string]string{
		"topic settings": topicTable(), "agent settings": agentTable(),
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

func topicTable() string {
	var b strings.Builder
	b.WriteString("| setting | default | agent's setting | status | meaning |\n|---|---|---|---|---|\n")
	for _, s := range TopicSettings() {
		agent := "-"
		if s.AgentName != "" {
			agent = "`" + s.AgentName + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, shown(s), agent, status(s), s.Doc)
	}
	return b.String()
}

// agentTable lists the agent settings that are no topic setting's default.
func agentTable() string {
	var b strings.Builder
	b.WriteString("| setting | default | status | meaning |\n|---|---|---|---|\n")
	for _, s := range ownAgentSettings {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, shown(s), status(s), s.Doc)
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
