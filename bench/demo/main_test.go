package main

import (
	"os/exec"
	"path/filepath"
	"testing"
)

const testRows = 60_000

// TestDemo is `make demo` on a file store and fewer, generated rows.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the varve binary, which takes seconds")
	}
	dir := t.TempDir()
	varve := filepath.Join(dir, "varve")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", varve, "../../cmd/varve")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	flights := filepath.Join(dir, "flights.parquet")
	if err := generate(flights, testRows); err != nil {
		t.Fatal(err)
	}
	o := options{varve: varve, store: "file", flights: flights, rows: testRows}
	if err := run(t.Context(), o, t.Output()); err != nil {
		t.Fatal(err)
	}
}

// A comparison that cannot fail proves nothing: each kind of damage must be told.
func TestDamageIsTold(t *testing.T) {
	stream := func(values ...string) *tally {
		tl := newTally(0)
		for i, v := range values {
			tl.addAt(&message{offset: int64(i), key: []byte("k"), value: []byte(v)})
		}
		return tl
	}
	gap, again := stream("a", "b"), stream("a", "b")
	gap.addAt(&message{offset: 3, key: []byte("k"), value: []byte("b")})
	again.addAt(&message{offset: 1, key: []byte("k"), value: []byte("b")})
	want := stream("a", "b", "b").finish()
	if want.duplicates != 1 {
		t.Errorf("%d duplicates, want 1", want.duplicates)
	}
	if _, err := stream("a", "b", "b").sameAs(want); err != nil {
		t.Errorf("the same stream: %v", err)
	}
	for name, damaged := range map[string]*tally{
		"a record less": stream("a", "b"), "another record": stream("a", "b", "c"),
		"one twice, one absent": stream("a", "a", "b"), "another order": stream("b", "a", "b"),
		"a gap": gap, "an offset twice": again,
	} {
		if _, err := damaged.sameAs(want); err == nil {
			t.Errorf("%s: not told", name)
		}
	}
}

func TestReplayLines(t *testing.T) {
	var r replayLines
	var m message
	line := `{"partition":2,"offset":7,"timestamp":-5,"key":"a\\b","value":"{\"x\":\"\u0001\"}","headers":[]}`
	if err := r.parse([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	if m.partition != 2 || m.offset != 7 || m.timestamp != -5 || string(m.key) != `a\b` ||
		string(m.value) != "{\"x\":\"\x01\"}" {
		t.Errorf("%+v %q %q", m, m.key, m.value)
	}
	for cut := range len(line) {
		if err := r.parse([]byte(line[:cut]), &m); err == nil {
			t.Errorf("accepted %q", line[:cut])
		}
	}
}
