package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// usageError is a command line that cannot be run: exit code 2.
type usageError struct {
	command string // whose help tells more
	text    string
	hint    string // optional: what was probably meant
}

func (e *usageError) Error() string { return e.text }

func (e *usageError) print(w io.Writer) {
	fmt.Fprintf(w, "varve: %s\n", e.text)
	if e.hint != "" {
		fmt.Fprintf(w, "hint: %s\n", e.hint)
	}
	fmt.Fprintf(w, "help: %s --help\n", e.command)
}

func usagef(cmd *cli.Command, format string, args ...any) *usageError {
	return &usageError{command: cmd.FullName(), text: fmt.Sprintf(format, args...)}
}

// withHint adds what to do instead.
func (e *usageError) withHint(format string, args ...any) *usageError {
	e.hint = fmt.Sprintf(format, args...)
	return e
}

// undefinedFlag is how the parser tells of a flag it does not know.
var undefinedFlag = regexp.MustCompile(`flag provided but not defined: -+(.+)$`)

// invalidValue is how it tells of a value that a flag's type cannot hold.
var invalidValue = regexp.MustCompile(`^invalid value "(.*)" for flag -+([^:]+): `)

// asUsageError turns what the parser says into our words, with the nearest flag as hint.
func asUsageError(cmd *cli.Command, err error) error {
	var usage *usageError
	if errors.As(err, &usage) {
		return usage
	}
	if m := undefinedFlag.FindStringSubmatch(err.Error()); m != nil {
		name, _, _ := strings.Cut(m[1], "=")
		e := usagef(cmd, "%s has no option --%s", verbPath(cmd), name)
		if near := nearest(name, flagNames(cmd)); near != "" {
			return e.withHint("did you mean --%s?", near)
		}
		return e.withHint("its options: --%s", strings.Join(flagNames(cmd), ", --"))
	}
	if m := invalidValue.FindStringSubmatch(err.Error()); m != nil {
		e := usagef(cmd, "--%s does not take %q", m[2], m[1])
		return e.withHint("it takes: %s", flagUsage(cmd, m[2]))
	}
	text := err.Error()
	return usagef(cmd, "%s", strings.ToLower(text[:1])+text[1:])
}

func unknownCommand(cmd *cli.Command, name string) error {
	e := usagef(cmd, "%s has no command %q", verbPath(cmd), name)
	var names []string
	for _, sub := range cmd.VisibleCommands() {
		names = append(names, sub.Name)
	}
	if near := nearest(name, names); near != "" {
		return e.withHint("did you mean %s %s?", cmd.FullName(), near)
	}
	return e.withHint("its commands: %s", verbNames(cmd))
}

func verbNames(cmd *cli.Command) string {
	var names []string
	for _, sub := range cmd.VisibleCommands() {
		names = append(names, sub.Name)
	}
	return strings.Join(names, ", ")
}

// verbPath is a command's name without the program's.
func verbPath(cmd *cli.Command) string {
	_, path, found := strings.Cut(cmd.FullName(), " ")
	if !found {
		return cmd.FullName()
	}
	return path
}

// flagUsage is what a flag's help says of it.
func flagUsage(cmd *cli.Command, name string) string {
	for _, f := range cmd.VisibleFlags() {
		if doc, ok := f.(cli.DocGenerationFlag); ok && slices.Contains(f.Names(), name) {
			return strings.ReplaceAll(doc.GetUsage(), "`", "")
		}
	}
	return ""
}

func flagNames(cmd *cli.Command) []string {
	var names []string
	for _, f := range cmd.VisibleFlags() {
		names = append(names, f.Names()[0])
	}
	return names
}

// nearest is the candidate that takes the fewest edits from name, "" when all are far from it.
func nearest(name string, candidates []string) string {
	best, bestDistance := "", 3
	for _, c := range candidates {
		if strings.HasPrefix(c, name) && len(name) > 1 {
			return c
		}
		if d := editDistance(name, c); d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts insertions, deletions and replacements (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// arguments returns exactly the positional arguments named, or a usage error.
func arguments(cmd *cli.Command, names ...string) ([]string, error) {
	got := cmd.Args().Slice()
	switch {
	case len(got) < len(names):
		return nil, usagef(cmd, "%s needs %s", verbPath(cmd), strings.Join(names[len(got):], " and "))
	case len(got) > len(names):
		e := usagef(cmd, "%s does not know what to do with %q", verbPath(cmd), got[len(names)])
		if len(names) == 0 {
			return nil, e.withHint("it takes no arguments, only options")
		}
		return nil, e.withHint("it takes only %s; quote what holds spaces", strings.Join(names, ", "))
	}
	return got, nil
}
