package jvm

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/varve-log/varve/bench/process"
)

const exitNotRun = 3

// Options are the flags that every test on the JVM has.
type Options struct {
	Varve     string // path of the binary
	Bootstrap string // of a broker that runs already; "" starts an agent
	Root      string // of the repository
	Dir       string // to work in; "" makes one and removes it after a pass
}

// Flags adds the options to those of the command.
func (o *Options) Flags() {
	flag.StringVar(&o.Varve, "varve", "bin/varve", "path of the varve binary")
	flag.StringVar(&o.Bootstrap, "bootstrap", "", "HOST:PORT of a broker to test instead of an agent")
	flag.StringVar(&o.Root, "root", ".", "root of the repository")
	flag.StringVar(&o.Dir, "dir", "", "directory to work in; default: a temporary one")
}

// Test is a test on the JVM: it gets its broker and a directory of its own.
type Test func(ctx context.Context, t *Target) error

// Target is the broker under test.
type Target struct {
	Options
	Bootstrap string
	Agent     *process.Agent // nil for a broker that ran already
	Cache     Cache
}

// Exit says on w how a test ended and returns the exit status: 0 passed, 1 failed, 3 not run.
func Exit(w io.Writer, name string, err error) int {
	switch {
	case errors.Is(err, ErrMissing):
		fmt.Fprintf(w, "%s: not run: %v\n", name, err)
		return exitNotRun
	case err != nil:
		fmt.Fprintf(w, "%s: FAILED: %v\n", name, err)
		return 1
	default:
		fmt.Fprintf(w, "%s: passed\n", name)
		return 0
	}
}

// Run starts what the test runs against, runs it, and stops what it started.
func Run(o Options, test Test) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	cache, err := DefaultCache()
	if err != nil {
		return err
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "varve-jvm-"); err != nil {
			return err
		}
	}
	defer func() {
		if err == nil {
			err = os.RemoveAll(o.Dir)
		} else if !errors.Is(err, ErrMissing) {
			err = fmt.Errorf("%w\nkept: %s", err, o.Dir)
		}
	}()
	t := &Target{Options: o, Bootstrap: o.Bootstrap, Cache: cache}
	if o.Bootstrap == "" {
		if err := t.start(ctx); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = fmt.Errorf("%w\nthe agent's log ends:\n%s", err, t.Agent.Log())
			}
			err = errors.Join(err, t.Agent.Stop())
		}()
	}
	return test(ctx, t)
}

// start runs an agent with what a test needs: internal topics of few partitions, no delay at joins.
func (t *Target) start(ctx context.Context) error {
	agent, err := process.New(process.Config{
		Varve: t.Varve, DataDir: t.Path("disk-0"), Store: "file://" + t.Path("bucket"),
		Args: []string{"--setting", "group.initial.rebalance.delay.ms=0"},
	})
	if err != nil {
		return err
	}
	t.Agent, t.Bootstrap = agent, agent.Bootstrap()
	return agent.Start(ctx)
}

// Path is a path in the test's directory, absolute.
func (t *Target) Path(elem ...string) string {
	dir, err := filepath.Abs(t.Dir)
	if err != nil {
		dir = t.Dir
	}
	return filepath.Join(append([]string{dir}, elem...)...)
}

// Install builds a Maven project of the repository.
func (t *Target) Install(ctx context.Context, name string, from ...string) (Project, error) {
	return t.Cache.Install(ctx, name, filepath.Join(append([]string{t.Root}, from...)...))
}
