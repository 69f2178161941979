package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentListsTheOptions holds the table of options in docs/configuration.md against the code.
func TestDocumentListsTheOptions(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		told = append(told, m[1])
	}
	want := []string{"config"}
	for _, f := range agentFlags() {
		want = append(want, f.Names()[0])
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("docs/configuration.md lists\n%s\nthe agent has\n%s",
			strings.Join(told, " "), strings.Join(want, " "))
	}
}
