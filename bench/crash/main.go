package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/varve-log/varve/bench/process"
)

func main() {
	var o options
	flag.StringVar(&o.varve, "varve", "bin/varve", "path of the varve binary")
	flag.IntVar(&o.rounds, "rounds", 20, "how often the agent is killed")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of the first round")
	flag.StringVar(&o.dir, "dir", "", "directory to work in; default: a temporary one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	varve  string
	rounds int
	seed   uint64
	dir    string
}

const (
	topic      = "crash"
	partitions = 4
	// fullCheckEvery is how many rounds lie between two reads of everything.
	fullCheckEvery = 20
	roundTimeMin   = 30 * time.Millisecond
	roundTimeMax   = 900 * time.Millisecond
)

// run is the whole test: rounds, then the check of the bucket.
func run(ctx context.Context, o options) (err error) {
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "varve-crash-"); err != nil {
			return err
		}
	}
	store := "file://" + filepath.Join(o.dir, "bucket")
	agent, err := process.New(process.Config{
		Varve: o.varve, DataDir: filepath.Join(o.dir, "disk-0"), Store: store,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("seed %d: %w\nkept: %s", o.seed, err, o.dir)
			_ = agent.Kill()
			return
		}
		err = os.RemoveAll(o.dir)
	}()
	if err := agent.Start(ctx); err != nil {
		return err
	}
	if err := createTopic(ctx, agent.Bootstrap()); err != nil {
		return err
	}
	book := newBook()
	load, err := startLoad(agent.Bootstrap(), book)
	if err != nil {
		return err
	}
	defer load.close()
	check := &checker{bootstrap: agent.Bootstrap(), book: book}
	for i := range o.rounds {
		r := round{number: i, rng: rand.New(rand.NewPCG(o.seed, uint64(i))), dir: o.dir}
		if err := r.run(ctx, agent, load, check); err != nil {
			return fmt.Errorf("round %d: %w\n%s", i, err, agent.Log())
		}
	}
	if err := load.close(); err != nil {
		return err
	}
	if err := check.all(ctx); err != nil {
		return err
	}
	if err := agent.Stop(); err != nil {
		return err
	}
	if err := checkBucket(ctx, store, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	fmt.Printf("%d rounds passed: %d records acked, all there once, offsets dense, bucket clean\n",
		o.rounds, book.ackedCount())
	return nil
}

// round is one life of the agent.
type round struct {
	number int
	rng    *rand.Rand
	dir    string
}

func (r round) run(
	ctx context.Context, agent *process.Agent, load *load, check *checker,
) error {
	if err := r.wait(ctx); err != nil {
		return err
	}
	how := "kill -9"
	var err error
	switch n := r.rng.IntN(20); {
	case n == 0: // an orderly stop, then another disk: the bucket has everything
		var disk string
		disk, how = r.anotherDisk()
		if err = load.pause(ctx); err == nil {
			err = agent.Stop()
		}
		agent.SetDataDir(disk)
	case n <= 2:
		how, err = "SIGTERM", agent.Stop()
	default:
		err = agent.Kill()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", how, err)
	}
	begun := time.Now()
	if err := agent.Start(ctx); err != nil {
		return fmt.Errorf("start after %s: %w", how, err)
	}
	ready := time.Since(begun)
	load.resume()
	if (r.number+1)%fullCheckEvery == 0 {
		err = check.all(ctx)
	} else {
		err = check.newest(ctx)
	}
	if err != nil {
		return fmt.Errorf("after %s: %w", how, err)
	}
	fmt.Printf("round %d: %s, ready again in %d ms, %d records acked\n",
		r.number, how, ready.Milliseconds(), check.book.ackedCount())
	return nil
}

// anotherDisk is a new, empty one, or one of those used before, which is behind the bucket.
func (r round) anotherDisk() (path, how string) {
	used, err := filepath.Glob(filepath.Join(r.dir, "disk-*"))
	if err == nil && len(used) > 1 && r.rng.IntN(2) == 0 {
		return used[r.rng.IntN(len(used))], "stale disk"
	}
	return filepath.Join(r.dir, fmt.Sprintf("disk-%d", r.number+1)), "new disk"
}

// wait lets the load run for the round's moment.
func (r round) wait(ctx context.Context) error {
	d := roundTimeMin + time.Duration(r.rng.Int64N(int64(roundTimeMax-roundTimeMin)))
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
