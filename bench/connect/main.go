package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/varve-log/varve/bench/jvm"
)

const (
	topic   = "lines"
	runTime = 4 * time.Minute
)

func main() {
	var o jvm.Options
	o.Flags()
	lines := flag.Int("lines", 5000, "lines of each of the four parts")
	loseDisk := flag.Bool("lose-disk", false, "delete the agent's data directory in place of the restarts")
	flag.Parse()
	err := jvm.Run(o, func(ctx context.Context, t *jvm.Target) error {
		r := &run{Target: t, lines: *lines}
		if *loseDisk {
			return r.all(ctx, r.disk)
		}
		return r.all(ctx, r.restarts)
	})
	os.Exit(jvm.Exit(os.Stdout, "connect", err))
}

// run is one life of the test.
type run struct {
	*jvm.Target
	lines   int // in each part
	written int

	project jvm.Project
	logging string
	rest    string // address of the worker's REST interface
	worker  *jvm.Process
}

// all prepares what every run has, and takes the steps given while the worker runs.
func (r *run) all(ctx context.Context, steps func(context.Context) error) (err error) {
	if r.project, err = r.Install(ctx, "kafka", "bench", "jvm"); err != nil {
		return err
	}
	if r.logging, err = jvm.Logging(r.Path()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	if err := jvm.Create(ctx, r.Bootstrap, topic, 1); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	defer func() { r.worker.Kill() }()
	if err := r.createConnectors(ctx); err != nil {
		return fmt.Errorf("%w\nthe worker's log ends:\n%s", err, r.worker.Tail())
	}
	if err := steps(ctx); err != nil {
		return fmt.Errorf("%w\nthe worker's log ends:\n%s", err, r.worker.Tail())
	}
	return r.worker.Stop()
}

// disk loses the agent's disk while the worker lives, and restarts the worker after that, which
// finds its connectors and their offsets in what the agent restored.
func (r *run) disk(ctx context.Context) error {
	if err := r.awaitOutput(ctx); err != nil {
		return fmt.Errorf("first part: %w", err)
	}
	if err := r.LoseDisk(ctx, topic); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	if err := r.awaitOutput(ctx); err != nil {
		return fmt.Errorf("after the disk was lost: %w", err)
	}
	if err := r.worker.Stop(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	if err := r.checkTopic(ctx); err != nil {
		return fmt.Errorf("after the disk was lost: %w", err)
	}
	if err := r.awaitOutput(ctx); err != nil {
		return fmt.Errorf("after the disk was lost: %w", err)
	}
	fmt.Printf("connect: %d lines in the topic, each once, after a lost disk\n", r.written)
	return nil
}

// restarts stops the worker and starts it again, and then kills it.
func (r *run) restarts(ctx context.Context) error {
	if err := r.awaitOutput(ctx); err != nil {
		return fmt.Errorf("first part: %w", err)
	}
	if err := r.worker.Stop(); err != nil {
		return err
	}
	if err := r.write(); err != nil { // while it is down
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.write(); err != nil {
		return err
	}
	if err := r.awaitOutput(ctx); err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	if err := r.sameFiles(); err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	fmt.Printf("connect: %d lines through, output equals input after a restart\n", r.written)
	if err := r.write(); err != nil {
		return err
	}
	r.worker.Kill()
	if err := r.start(ctx); err != nil {
		return err
	}
	if err := r.checkTopic(ctx); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	if err := r.awaitOutput(ctx); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	fmt.Printf("connect: %d lines in the topic, each once, after a kill\n", r.written)
	return nil
}
