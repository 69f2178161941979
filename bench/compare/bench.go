package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/varve-log/varve/bench/process"
)

// row is one group of lines of the table.
type row struct {
	name string
	run  func(context.Context, *bench) error
}

// rows in the order in which they are measured: what starts processes anew comes first.
var rows = []row{
	{"start", asRow((*bench).starts)},
	{"produce-1k", produceRow("produce-1k", encoded(1<<10))},
	{"produce-100b", produceRow("produce-100b", encoded(100))},
	{"pre-encoded", produceRow("pre-encoded", preEncoded)},
	{"paced-20k", pacedRow("paced-20k", 20_000)},
	{"paced-50k", pacedRow("paced-50k", 50_000)},
	{"transactions", asRow((*bench).transactions)},
	{"consume", asRow((*bench).consume)},
	{"sealing", asRow((*bench).sealing)},
	{"cleaning", asRow((*bench).cleaning)},
	{"restart", asRow((*bench).restart)},
	{"requests", asRow((*bench).requests)},
	{"cold", asRow((*bench).cold)},
}

// asRow turns a method into a row's function.
func asRow(f func(*bench, context.Context) error) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error { return f(b, ctx) }
}

func rowNames() []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	return names
}

// bench is one run of the program.
type bench struct {
	o       options
	dir     string
	machine machine
	results *results
	topics  int

	varve *process.Agent // nil until it is needed
	kafka *kafkaBroker   // nil until it is needed, or left out
	sink  *sinkProcess   // nil until it is needed
}

func newBench(o options) (*bench, error) {
	if _, err := os.Stat(filepath.Join(o.root, "bench", "peers", "kafka.sh")); err != nil {
		return nil, fmt.Errorf("%s is not the repository: %w; run this at its root or give -root",
			o.root, err)
	}
	dir, err := os.MkdirTemp(o.dir, "varve-compare-*")
	if err != nil {
		return nil, err
	}
	b := &bench{o: o, machine: thisMachine(o.root), results: newResults()}
	if b.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if b.o.varve == "" {
		b.o.varve = filepath.Join(b.dir, "varve")
		build := exec.Command("go", "build", "-o", b.o.varve, "./cmd/varve")
		build.Dir, build.Stderr = o.root, os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("build cmd/varve: %w", err)
		}
	}
	b.o.varve, err = filepath.Abs(b.o.varve)
	return b, err
}

// run measures the rows. One that fails does not keep the others from being measured.
func (b *bench) run(ctx context.Context) error {
	var failed []error
	for _, r := range rows {
		if len(b.o.only) > 0 && !slices.Contains(b.o.only, r.name) {
			continue
		}
		b.say("row %s", r.name)
		if err := r.run(ctx, b); err != nil {
			err = fmt.Errorf("row %s: %w", r.name, err)
			b.say("%v", err)
			b.note("%v", err)
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// close stops what was started and removes the data.
func (b *bench) close() error {
	var errs []error
	if b.varve != nil {
		errs = append(errs, b.varve.Kill())
	}
	if b.kafka != nil {
		errs = append(errs, b.kafka.stop())
	}
	if b.sink != nil {
		errs = append(errs, b.sink.stop())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// say tells on stderr what is going on.
func (b *bench) say(format string, args ...any) {
	at := time.Now().Format(time.TimeOnly)
	fmt.Fprintf(os.Stderr, "%s %s\n", at, fmt.Sprintf(format, args...))
}

// note is a line for the reader of the table.
func (b *bench) note(format string, args ...any) {
	b.results.notes = append(b.results.notes, fmt.Sprintf(format, args...))
}

func (b *bench) seconds() time.Duration {
	return time.Duration(b.o.seconds * float64(time.Second))
}

// topic gives a name that was not used before.
func (b *bench) topic() string {
	b.topics++
	return "compare-" + strconv.Itoa(b.topics)
}

// touch touches memory and frees it, so that the next run does not pay for the machine's.
func (b *bench) touch(ctx context.Context) error {
	if b.o.touchMB == 0 {
		return nil
	}
	cmd, err := child(ctx, "touch", strconv.Itoa(b.o.touchMB))
	if err != nil {
		return err
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("touch memory: %w", err)
	}
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
