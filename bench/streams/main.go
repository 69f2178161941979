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
	runTime    = 4 * time.Minute
)

func main() {
	var o jvm.Options
	o.Flags()
	orders := flag.Int("orders", 30_000, "orders that are written")
	rate := flag.Int("rate", 1000, "orders a second")
	protocol := flag.String("group-protocol", "classic", "group.protocol of the application")
	flag.Parse()
	err := jvm.Run(o, func(ctx context.Context, t *jvm.Target) error {
		r := &run{Target: t, book: newBook(*orders), rate: *rate, protocol: *protocol}
		return r.all(ctx)
	})
	os.Exit(jvm.Exit(os.Stdout, "streams", err))
}

// run is one life of the test.
type run struct {
	*jvm.Target
	book     *book
	rate     int
	protocol string

	project jvm.Project
	logging string
	app     *jvm.Process
}

func (r *run) all(ctx context.Context) (err error) {
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
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	if err := r.book.writeUsers(ctx, r.Bootstrap); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	defer func() { r.app.Kill() }()
	wrote := make(chan error, 1)
	go func() { wrote <- r.book.writeOrders(ctx, r.Bootstrap, r.rate) }()
	for round := 1; round <= 2; round++ {
		if err := r.killAt(ctx, round); err != nil {
			return err
		}
	}
	if err := <-wrote; err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return fmt.Errorf("%w\nthe application's log ends:\n%s", err, r.app.Tail())
	}
	return r.app.Stop()
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
		return fmt.Errorf("before kill %d: %w\nthe application's log ends:\n%s", round, err, r.app.Tail())
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
