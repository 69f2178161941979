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
	partitions = 4
)

func main() {
	var o jvm.Options
	o.Flags()
	orders := flag.Int("orders", 30_000, "orders that are written")
	rate := flag.Int("rate", 1000, "orders a second")
	protocol := flag.String("group-protocol", "classic", "group.protocol of the application")
	loseDisk := flag.Bool("lose-disk", false, "delete the agent's data directory in place of the kills")
	limit := flag.Duration("time", 4*time.Minute, "longest time of the whole run")
	flag.Parse()
	err := jvm.Run(o, func(ctx context.Context, t *jvm.Target) error {
		r := &run{Target: t, book: newBook(*orders), rate: *rate, protocol: *protocol, limit: *limit}
		if *loseDisk {
			return r.all(ctx, r.disk)
		}
		return r.all(ctx, r.kills)
	})
	os.Exit(jvm.Exit(os.Stdout, "streams", err))
}

// run is one life of the test.
type run struct {
	*jvm.Target
	book     *book
	rate     int
	protocol string
	limit    time.Duration

	project jvm.Project
	logging string
	app     *jvm.Process
}

// all prepares what every run has, and takes the steps given while the application runs.
func (r *run) all(ctx context.Context, steps func(context.Context) error) (err error) {
	if r.project, err = r.Install(ctx, "streams", "bench", "streams"); err != nil {
		return err
	}
	if r.logging, err = jvm.Logging(r.Path()); err != nil {
		return err
	}
	for _, topic := range []string{"users", "orders", "enriched", "counts"} {
		if err := jvm.Create(ctx, r.Bootstrap, topic, partitions); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	if err := r.book.writeUsers(ctx, r.Bootstrap); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	defer func() { r.app.Kill() }()
	if err := steps(ctx); err != nil {
		return fmt.Errorf("%w\nthe application's log ends:\n%s", err, r.app.Tail())
	}
	return r.app.Stop()
}

// kills ends the application twice while orders are written.
func (r *run) kills(ctx context.Context) error {
	wrote := make(chan error, 1)
	go func() { wrote <- r.book.writeOrders(ctx, r.Bootstrap, r.rate, r.book.orders) }()
	for round := 1; round <= 2; round++ {
		if err := r.killAt(ctx, round); err != nil {
			return err
		}
	}
	if err := <-wrote; err != nil {
		return err
	}
	return r.check(ctx)
}

// disk loses the agent's disk when half of the orders are through and saved, and then the state of
// the application, which it restores from what the agent restored.
func (r *run) disk(ctx context.Context) error {
	half := r.book.orders / 2
	if err := r.book.writeOrders(ctx, r.Bootstrap, r.rate, half); err != nil {
		return err
	}
	if _, err := r.read(ctx, half); err != nil {
		return err
	}
	topics := []string{"users", "orders", "enriched", "counts", "streams-app-counts-store-repartition"}
	if err := r.LoseDisk(ctx, topics...); err != nil {
		return err
	}
	fmt.Printf("streams: disk lost after %d of %d orders\n", half, r.book.orders)
	most := half + half/2
	if err := r.book.writeOrders(ctx, r.Bootstrap, r.rate, most); err != nil {
		return err
	}
	if _, err := r.read(ctx, most); err != nil {
		return err
	}
	r.app.Kill()
	if err := os.RemoveAll(r.Path("state")); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	if err := r.book.writeOrders(ctx, r.Bootstrap, r.rate, r.book.orders); err != nil {
		return err
	}
	return r.check(ctx)
}

// start runs the application.
func (r *run) start() (err error) {
	r.app, err = jvm.Start(jvm.Command{
		ClassPath: r.project.ClassPath(), Flags: []string{"-Xmx256m", r.logging},
		Class: "varve.streams.App",
		Args:  []string{r.Bootstrap, "streams-app", r.Path("state"), "group.protocol=" + r.protocol},
		Log:   r.Path("app.log"),
	})
	return err
}

// killAt waits until so many thirds of the orders are through, and kills and restarts the application.
func (r *run) killAt(ctx context.Context, round int) error {
	want := r.book.orders * round / 3
	if _, err := r.read(ctx, want); err != nil {
		return fmt.Errorf("before kill %d: %w", round, err)
	}
	r.app.Kill()
	how := "on the state that it left"
	if round == 2 {
		how = "without its state"
		if err := os.RemoveAll(r.Path("state")); err != nil {
			return err
		}
	}
	fmt.Printf("streams: killed after %d of %d orders, started again %s\n", want, r.book.orders, how)
	return r.start()
}
