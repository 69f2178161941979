package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// heard is a member that printed events, one second apart.
func heard(name string, events ...event) *member {
	m := &member{name: name, done: make(chan struct{}), cmd: &exec.Cmd{}}
	for i, e := range events {
		e.at = time.Unix(int64(i), 0)
		m.events = append(m.events, e)
	}
	return m
}

func owns(partitions ...int32) event { return event{Event: "assigned", Partitions: partitions} }

func got(partition int32, offset int64) event {
	return event{Event: "record", Partition: partition, Offset: offset}
}

func TestAuditOfMembers(t *testing.T) {
	for _, c := range []struct {
		name   string
		events []event
		kept   bool
		want   string // of the error, or of the note
	}{
		{"in order", []event{owns(0, 1), got(0, 5), got(1, 0), got(0, 6)}, false, "3 records, 0 of them again"},
		{"a gap", []event{owns(0), got(0, 5), got(0, 7)}, false, "got offset 7 of partition 0, and 6 was next"},
		{"twice in one assignment", []event{owns(0), got(0, 5), got(0, 5)}, false, "got offset 5 of partition 0"},
		{"not owned", []event{owns(0), got(1, 0)}, false, "got a record of partition 1 and owned [0]"},
		{"after losing all", []event{owns(0), owns(), got(0, 0)}, false, "owned []"},
		{"again in a new assignment", []event{owns(0), got(0, 5), owns(0), got(0, 5)}, false, "1 of them again"},
		{"again though kept", []event{owns(0, 1), got(0, 5), owns(0), got(0, 5)}, true, "got offset 5"},
		{"on though kept", []event{owns(0, 1), got(0, 5), owns(0), got(0, 6)}, true, "0 of them again"},
		{"lost and back", []event{owns(0), got(0, 5), owns(), owns(0), got(0, 5)}, true, "1 of them again"},
	} {
		m := &match{members: []*member{heard("A", c.events...)}, keepsKept: c.kept}
		note, err := m.audit()
		if err != nil {
			note = err.Error()
		}
		if !strings.Contains(note, c.want) {
			t.Errorf("%s: %q, want %q", c.name, note, c.want)
		}
	}
}

func TestKeptPartitions(t *testing.T) {
	all := []event{owns(0, 1, 2), got(0, 0), got(1, 0), got(0, 1), got(1, 1), owns(0, 1), got(1, 2), got(0, 2)}
	pause, err := kept(heard("A", all...), []int32{0, 1, 2}, time.Unix(0, 0), time.Unix(99, 0))
	if err != nil || pause != 4*time.Second {
		t.Errorf("pause %s, error %v, want 4 s", pause, err)
	}
	stopped := append(append([]event{}, all...), owns(), owns(0, 1), got(0, 3), got(1, 3))
	if _, err := kept(heard("A", stopped...), []int32{0, 1, 2}, time.Unix(0, 0), time.Unix(99, 0)); err == nil {
		t.Error("a partition that was away for a while was taken for kept")
	}
}

func TestPromisesOfTheDocument(t *testing.T) {
	p := plug{Client: "c", Version: "1", Table: "clients"}
	r := &report{results: []result{
		p.result("codecs", "pass", ""), p.result("time", "absent", "time"), p.result("large", "fail", "why"),
	}}
	section := r.markdown()
	if wrong := r.broken(section); len(wrong) != 0 {
		t.Errorf("a report breaks its own promises: %v", wrong)
	}
	better := strings.Replace(section, "| absent |", "| pass |", 1)
	if wrong := r.broken(better); len(wrong) != 1 || !strings.Contains(wrong[0], "time passes in") {
		t.Errorf("a pass that became absent: %v", wrong)
	}
	gone := &report{results: []result{p.result("", "not run", "no npm")}}
	if text := gone.markdown(); !strings.Contains(text, "| c 1 | not run |") || !strings.Contains(text, "no npm") {
		t.Errorf("a client that is not run:\n%s", text)
	}
}

func TestWorstOfSeveralRounds(t *testing.T) {
	p := plug{Client: "c", Version: "1", Table: "clients"}
	r := &report{results: []result{
		p.result("group", "pass", ""), p.result("group", "fail", "why"), p.result("group", "pass", ""),
	}}
	if one := r.of("clients", "c 1")["group"]; one.Result != "fail" {
		t.Errorf("two of three rounds passed and the report says %s", one.Result)
	}
}

func TestCountOfTests(t *testing.T) {
	pass, skipped, failed := count([]byte(`{"Action":"run","Test":"TestA"}
{"Action":"pass","Test":"TestA/x"}
{"Action":"pass","Test":"TestA"}
{"Action":"skip","Test":"TestB"}
{"Action":"fail","Test":"TestC"}
not json
{"Action":"fail","Package":"p"}
`))
	if pass != 1 || strings.Join(skipped, " ") != "TestB" || strings.Join(failed, " ") != "TestC" {
		t.Errorf("%d pass, %v skipped, %v failed", pass, skipped, failed)
	}
}

// Kafka's tools are several lines of one name, and made each other's topics before.
func TestPrefixesDiffer(t *testing.T) {
	p := plug{Client: "Kafka's tools", Version: "4.3.1"}
	a, b := prefix(p, 1, 7), prefix(p, 2, 7)
	if a == b || a != "kafka-s-tools-4-3-1-1-7" {
		t.Errorf("prefixes %s and %s", a, b)
	}
}

func TestDriverWithoutLinesFails(t *testing.T) {
	p := plug{Client: "c", Version: "1", Table: "clients"}
	results := complete(p, "all", []result{p.result("codecs", "pass", "")}, nil)
	if len(results) != len(plainScenarios) || results[1].Result != "fail" {
		t.Errorf("results %v", results)
	}
}
