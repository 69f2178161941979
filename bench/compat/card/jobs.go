package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const driverTimeMax = 240 * time.Second

// Names of the scenarios, in the order of the table.
var (
	plainScenarios = []string{
		"codecs", "idempotent", "transactions", "time", "admin", "large", "headers", "nulls", "partitions",
		"sealed",
	}
	groupScenarios = []string{"group", "static", "cooperative", "kip848"}
	columns        = append(append([]string{}, plainScenarios...), groupScenarios...)
)

// result is what a driver's line says, and what the table shows.
type result struct {
	Client   string `json:"client"`
	Version  string `json:"version"`
	Scenario string `json:"scenario"`
	Result   string `json:"result"` // pass, fail, absent, or not run
	Detail   string `json:"detail"`
	Millis   int64  `json:"ms"`
	table    string
}

func (p plug) result(scenario, verdict, detail string) result {
	return result{p.Client, p.Version, scenario, verdict, detail, 0, p.Table}
}

// job is some scenarios of one client.
type job struct {
	p   plug
	run func(context.Context) []result
}

// jobs are listed so that what waits most is begun first.
func jobs(s, plainServer *server, o options, plugs []plug) []job {
	var all []job
	run := time.Now().UnixMilli() % 1e9
	for _, scenario := range []string{"kip848", "group", "cooperative", "static"} {
		for i, p := range plugs {
			if p.Missing != "" || p.Table != "clients" || !o.scenarios[scenario] {
				continue
			}
			all = append(all, job{p, func(ctx context.Context) []result {
				return []result{referee(ctx, s, p, scenario, prefix(p, i, run))}
			}})
		}
	}
	for i, p := range plugs {
		switch {
		case p.Missing != "":
			all = append(all, job{p, func(context.Context) []result {
				return []result{p.result("", "not run", p.Missing)}
			}})
		case p.Table != "clients":
			all = append(all, job{p, func(ctx context.Context) []result {
				return plain(ctx, plainServer, o, p, prefix(p, i, run))
			}})
		case anyOf(o.scenarios, plainScenarios):
			all = append(all, job{p, func(ctx context.Context) []result {
				return plain(ctx, s, o, p, prefix(p, i, run))
			}})
		}
	}
	return all
}

// prefix is unique to the run and to the line of an install program: several may have one name.
func prefix(p plug, line int, run int64) string {
	name := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(p.name()), "-")
	return fmt.Sprintf("%s-%d-%d", strings.Trim(name, "-"), line, run)
}

func anyOf(set map[string]bool, names []string) bool {
	for _, name := range names {
		if set[name] {
			return true
		}
	}
	return false
}

// runJobs runs o.jobs at a time, and of the heavy ones one at a time.
func runJobs(ctx context.Context, o options, all []job, into *report) {
	var heavy sync.Mutex
	var workers sync.WaitGroup
	queue := make(chan job)
	for range o.jobs {
		workers.Go(func() {
			for j := range queue {
				if j.p.Heavy {
					heavy.Lock()
				}
				results := j.run(ctx)
				if j.p.Heavy {
					heavy.Unlock()
				}
				for _, r := range results {
					progress("%s", r)
					into.add(r)
				}
			}
		})
	}
	for _, j := range all {
		queue <- j
	}
	close(queue)
	workers.Wait()
}

func (r result) String() string {
	text := fmt.Sprintf("%-26s %-13s %s", r.Client+" "+r.Version, r.Scenario, r.Result)
	if r.Millis > 0 {
		text += fmt.Sprintf(" %.1f s", float64(r.Millis)/1000)
	}
	if r.Detail != "" {
		text += ": " + r.Detail
	}
	return text
}

// plain runs the driver's own scenarios, and looks at what was stored.
func plain(ctx context.Context, s *server, o options, p plug, prefix string) []result {
	name := "all"
	if p.Table == "clients" {
		var asked []string
		for _, each := range plainScenarios {
			if o.scenarios[each] {
				asked = append(asked, each)
			}
		}
		if len(asked) < len(plainScenarios) {
			var results []result
			for _, each := range asked {
				results = append(results, drive(ctx, s, p, each, prefix)...)
			}
			return results
		}
	}
	return drive(ctx, s, p, name, prefix)
}

// drive runs a driver once and reads its lines.
func drive(ctx context.Context, s *server, p plug, scenario, prefix string) []result {
	ctx, cancel := context.WithTimeout(ctx, driverTimeMax)
	defer cancel()
	args := append(append([]string{}, p.Command[1:]...), "--bootstrap", s.bootstrap,
		"--scenario", scenario, "--prefix", prefix, "--seed", strconv.Itoa(1))
	cmd := exec.CommandContext(ctx, p.Command[0], args...)
	var errs tail
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var results []result
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var r result
		if e := json.Unmarshal(lines.Bytes(), &r); e != nil {
			err = errors.Join(err, fmt.Errorf("it printed %q", lines.Text()))
			continue
		}
		r.table, r.Client, r.Version = p.Table, p.Client, p.Version
		if r.Result == "pass" && p.Table == "clients" {
			if e := inspect(ctx, s, r, prefix); e != nil {
				r.Result, r.Detail = "fail", "stored: "+e.Error()
			}
		}
		results = append(results, r)
	}
	if err != nil {
		err = fmt.Errorf("the driver ended with: %w %s", err, errs.text())
	}
	return complete(p, scenario, results, err)
}

// complete adds a failure for every scenario without a line.
func complete(p plug, scenario string, results []result, err error) []result {
	seen := map[string]bool{}
	for _, r := range results {
		seen[r.Scenario] = true
	}
	detail := "the driver printed no line"
	if err != nil {
		detail = err.Error()
	}
	expected := []string{scenario}
	if scenario == "all" {
		expected = plainScenarios
	}
	if p.Table != "clients" {
		if expected = nil; err != nil {
			results = append(results, p.result("driver", "fail", detail))
		}
	}
	for _, name := range expected {
		if !seen[name] {
			results = append(results, p.result(name, "fail", detail))
		}
	}
	return results
}

// tail keeps the last lines that a driver wrote to stderr.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if over := len(t.b) - 2000; over > 0 {
		t.b = t.b[over:]
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(strings.Fields(string(t.b)), " ")
}
