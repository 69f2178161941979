package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.varve, "varve", "bin/varve", "path of the varve binary")
	flag.StringVar(&o.store, "store", "file", "kind of the bucket: file, s3 or minio")
	flag.StringVar(&o.flights, "flights", os.Getenv("VARVE_FLIGHTS"),
		"Parquet file of flights; default: $VARVE_FLIGHTS, "+defaultFlights+", or generated rows")
	flag.IntVar(&o.rows, "rows", defaultRows, "use at most so many rows")
	flag.StringVar(&o.localstack, "localstack", "localstack", "folder with the scripts up and down")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	varve      string
	store      string
	flights    string
	rows       int
	localstack string
}

func (o options) validate() error {
	switch o.store {
	case "file", "s3", "minio":
	default:
		return fmt.Errorf("-store %q is unknown: it is file, s3 or minio", o.store)
	}
	if o.rows < rowsMin {
		return fmt.Errorf("-rows %d is too few: take %d or more", o.rows, rowsMin)
	}
	if _, err := os.Stat(o.varve); err != nil {
		return fmt.Errorf("no varve binary: %w; run `make build`, or name one with -varve", err)
	}
	return nil
}

// run is the whole demo.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	begun := time.Now()
	if err := o.validate(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "varve-demo-")
	if err != nil {
		return err
	}
	d := &demo{options: o, out: out, dir: dir}
	defer func() {
		if stopErr := d.close(err == nil); err == nil {
			err = stopErr
		}
		if err != nil {
			err = fmt.Errorf("%w\nkept: %s", err, dir)
			return
		}
		fmt.Fprintf(out, "demo passed over %s in %.0f s\n", o.store, time.Since(begun).Seconds())
	}()
	for i, s := range d.steps() {
		stepBegun := time.Now()
		fmt.Fprintf(out, "%d. %s\n", i+1, s.name)
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("step %d (%s): %w%s", i+1, s.name, err, d.agentLog())
		}
		fmt.Fprintf(out, "   %.1f s\n", time.Since(stepBegun).Seconds())
	}
	return nil
}
