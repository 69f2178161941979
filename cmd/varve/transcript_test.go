package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/agent"
	"github.com/varve-log/varve/query/duck"
)

// TestTranscripts runs command lines against an agent in this process and compares what they print.
// In testdata each directive is a command line; "stdin" lines are fed to the next one and
// "file" makes a file under $DIR. Rewrite the
// expected output with -rewrite after looking at it.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &session{t: t, dir: t.TempDir()}
		if !strings.HasPrefix(filepath.Base(path), "usage") {
			s.startAgent()
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.t = t
			switch d.Cmd {
			case "stdin":
				s.stdin = d.Input + "\n"
				return ""
			case "file":
				return s.write(d)
			case "run":
				return s.run(d.Input)
			}
			d.Fatalf(t, "unknown directive %q", d.Cmd)
			return ""
		})
	})
}

// session is one transcript: an agent, a directory, and the input of the next command.
type session struct {
	t       *testing.T
	dir     string
	stdin   string
	replace []string
}

func (s *session) startAgent() {
	cfg := agent.DefaultConfig()
	cfg.Listen, cfg.HTTP = "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir = filepath.Join(s.dir, "agent")
	cfg.Settings = map[string]string{"group.initial.rebalance.delay.ms": "0"}
	cfg.Store = "file://" + filepath.ToSlash(filepath.Join(s.dir, "bucket"))
	a, err := agent.Start(context.Background(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Setenv("VARVE_BOOTSTRAP", a.Addr().String())
	s.t.Setenv("VARVE_HTTP", a.HTTPAddr().String())
	s.t.Setenv("VARVE_STORE", cfg.Store)
	s.replace = []string{
		a.Addr().String(), "AGENT", a.HTTPAddr().String(), "HTTP", cfg.Store, "STORE", a.ClusterID(), "CLUSTER",
	}
}

// write makes a file of the directive's input.
func (s *session) write(d *datadriven.TestData) string {
	var name string
	d.ScanArgs(s.t, "name", &name)
	err := os.WriteFile(filepath.Join(s.dir, name), []byte(d.Input+"\n"), 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	return ""
}

// run executes each line and returns what it printed, scrubbed.
func (s *session) run(lines string) string { return s.scrub(s.raw(lines)) }

// raw executes each line and returns what it printed.
func (s *session) raw(lines string) string {
	var all strings.Builder
	for line := range strings.SplitSeq(lines, "\n") {
		args, err := splitLine(strings.ReplaceAll(line, "$DIR", s.dir))
		if err != nil {
			s.t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code := newApp(strings.NewReader(s.stdin), &stdout, &stderr).run(s.t.Context(), args)
		s.stdin = ""
		all.WriteString(stdout.String())
		for text := range strings.Lines(stderr.String()) {
			all.WriteString("! " + text)
		}
		if code != exitOK {
			fmt.Fprintf(&all, "exit %d\n", code)
		}
	}
	return all.String()
}

// scrub replaces what differs between runs.
func (s *session) scrub(text string) string {
	text = strings.NewReplacer(append(s.replace, s.dir, "DIR")...).Replace(text)
	for _, r := range []struct{ pattern, with string }{
		{`in [0-9.]+ m?s, [0-9,]+ records/s`, "in TIME, RATE records/s"},
		{`\b[A-Za-z0-9_-]{22}\b`, "ID"},
		{`[0-9a-f]{32}`, "HEXID"},
		{`-[0-9a-f]{24}`, "-UID"},
		{`segments/[0-9a-f]{2}/`, "segments/HH/"},
		{`"bytes": [1-9]\d*`, `"bytes": N`},
		{`(?m)^(live +\d+) .*$`, "$1  SIZE"},
		{`at version \d+`, "at version N"},
	} {
		text = regexp.MustCompile(r.pattern).ReplaceAllString(text, r.with)
	}
	return text
}

// splitLine splits a command line at spaces outside of single quotes.
func splitLine(line string) ([]string, error) {
	var args []string
	for i, piece := range strings.Split(line, "'") {
		switch {
		case i%2 == 1:
			args = append(args, piece)
		default:
			args = append(args, strings.Fields(piece)...)
		}
	}
	if strings.Count(line, "'")%2 != 0 {
		return nil, fmt.Errorf("open quote in %q", line)
	}
	return args, nil
}

// Every verb shows how it is used, and no line of its help is wider than a wide terminal.
func TestHelp(t *testing.T) {
	var visit func(cmd *cli.Command, path []string)
	visit = func(cmd *cli.Command, path []string) {
		path = append(path[:len(path):len(path)], cmd.Name)
		if cmd.Name == "help" {
			return
		}
		if text, _ := cmd.Metadata["example"].(string); !strings.Contains(text, "varve ") {
			t.Errorf("%s has no example", strings.Join(path, " "))
		}
		var stdout, stderr bytes.Buffer
		args := append(path[:len(path):len(path)], "--help")
		if code := newApp(strings.NewReader(""), &stdout, &stderr).run(t.Context(), args); code != exitOK {
			t.Errorf("%v: exit %d: %s", args, code, &stderr)
		}
		if !strings.Contains(stdout.String(), "EXAMPLES") {
			t.Errorf("%v shows no examples", args)
		}
		for line := range strings.Lines(stdout.String()) {
			if len(line) > 120 {
				t.Errorf("%v: line of %d columns: %s", args, len(line), line)
			}
		}
		for _, sub := range cmd.Commands {
			visit(sub, path)
		}
	}
	visit(newApp(strings.NewReader(""), &bytes.Buffer{}, &bytes.Buffer{}).root(), nil)
}

// SQL needs cgo; without it the command says so.
func TestQuery(t *testing.T) {
	s := &session{t: t, dir: t.TempDir()}
	s.startAgent()
	s.run("varve topic create t --partitions 1")
	s.stdin = "one\ntwo\n"
	s.run("varve produce t")
	s.run("varve topic seal t")
	got := s.run(`varve query -o csv 'SELECT count(*) AS n FROM t'`)
	if strings.Contains(got, errText(duck.ErrNeedsCgo)) {
		t.Skip("SQL needs a build with cgo")
	}
	if got != "n\n2\n" {
		t.Errorf("got %q", got)
	}
	if got := s.run(`varve query 'SELEC 1'`); !strings.Contains(got, "exit 1") {
		t.Errorf("a wrong statement gave %q", got)
	}
}

func errText(err error) string { return errors.Join(err).Error() }

func TestNearest(t *testing.T) {
	names := []string{"create", "list", "describe", "alter", "delete", "seal"}
	for name, want := range map[string]string{
		"crate": "create", "lst": "list", "desc": "describe", "remove": "", "x": "", "sael": "seal",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
