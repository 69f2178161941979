package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/varve-log/varve/bench/process"
)

// The topics and the group.
const (
	input, output = "eos-in", "eos-out"
	partitions    = 4
	group         = "eos"
	workers       = 4
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		exit(runWorker(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.varve, "varve", "bin/varve", "path of the varve binary")
	flag.IntVar(&o.seeds, "seeds", 20, "how many seeds to run")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "the first seed; others follow it")
	flag.DurationVar(&o.time, "time", 2*time.Minute, "how long a seed is fed")
	flag.DurationVar(&o.kill, "kill", 20*time.Second, "time between two kills of the agent")
	flag.StringVar(&o.dir, "dir", "", "directory to work in; default: a temporary one")
	flag.Parse()
	exit(run(o))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "eos:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type options struct {
	varve string
	seeds int
	seed  uint64
	time  time.Duration
	kill  time.Duration
	dir   string
}

// run is all seeds, one after the other.
func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for i := range o.seeds {
		seed := o.seed + uint64(i)
		dir, err := workDir(o.dir, seed)
		if err != nil {
			return err
		}
		report, err := runSeed(ctx, o, seed, dir)
		if err != nil {
			return fmt.Errorf("seed %d: %w\nkept: %s\nagain: eos -seeds 1 -seed %d -time %s -kill %s",
				seed, err, dir, seed, o.time, o.kill)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		fmt.Printf("seed %d passed: %s\n", seed, report)
	}
	return nil
}

func workDir(dir string, seed uint64) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "varve-eos-")
	}
	dir = filepath.Join(dir, fmt.Sprint(seed))
	return dir, os.MkdirAll(dir, 0o755)
}

// runSeed is one history and its check.
func runSeed(ctx context.Context, o options, seed uint64, dir string) (report string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	store := "file://" + filepath.Join(dir, "bucket")
	agent, err := process.New(process.Config{
		Varve: o.varve, DataDir: filepath.Join(dir, "disk"), Store: store, Args: agentArgs,
	})
	if err != nil {
		return "", err
	}
	if err := agent.Start(ctx); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nthe agent's last words:\n%s", err, agent.Log())
			_ = agent.Kill()
			return
		}
		err = agent.Stop()
	}()
	if err := createTopics(ctx, agent.Bootstrap()); err != nil {
		return "", err
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	crew, err := startCrew(agent.Bootstrap(), seed, dir)
	if err != nil {
		return "", err
	}
	defer crew.stop()
	fed, kills, err := feedAndKill(ctx, o, agent, crew, rng)
	if err != nil {
		return "", err
	}
	c := &checker{agent: agent, varve: o.varve, store: store, fed: fed}
	if err := c.drain(ctx); err != nil {
		return "", errors.Join(err, crew.trouble())
	}
	crew.stop()
	if err := c.check(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d records once each, %d records of aborted transactions never seen, "+
		"%d kills of workers, %d of the agent", fed, c.aborted, crew.killed(), kills), nil
}

// feedAndKill feeds the input for the seed's time, while workers and agent are killed.
func feedAndKill(
	ctx context.Context, o options, agent *process.Agent, crew *crew, rng *rand.Rand,
) (fed, kills int, err error) {
	f, err := startFeed(agent.Bootstrap())
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	over := time.NewTimer(o.time)
	defer over.Stop()
	agentDue := time.NewTicker(o.kill)
	defer agentDue.Stop()
	for {
		workerDue := time.NewTimer(500*time.Millisecond + time.Duration(rng.Int64N(int64(4*time.Second))))
		select {
		case <-ctx.Done():
			return 0, kills, ctx.Err()
		case <-over.C:
			fed, err = f.finish(ctx)
			return fed, kills, err
		case <-workerDue.C:
			err = crew.kill(rng.IntN(workers))
		case <-agentDue.C:
			kills++
			if err = agent.Kill(); err == nil {
				err = agent.Start(ctx)
			}
		}
		workerDue.Stop()
		if err != nil {
			return 0, kills, err
		}
	}
}
