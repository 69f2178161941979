package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	varve   string
	root    string
	dir     string
	only    []string
	seconds float64
	rounds  int
	warmups int
	batch   int
	touchMB int
	coldMB  int
	noKafka bool
	output  string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		if child, ok := children[args[0]]; ok {
			return child(ctx, args[1:])
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	err = b.run(ctx)
	return errors.Join(err, b.print(os.Stdout), b.close())
}

func parse(args []string) (options, error) {
	var o options
	var only string
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.StringVar(&o.varve, "varve", "", "varve binary; default: build one")
	f.StringVar(&o.root, "root", ".", "the repository")
	f.StringVar(&o.dir, "dir", "", "where to make a directory for data, on the disk to measure")
	f.StringVar(&only, "only", "", "rows to measure, by name with commas; default: all of "+
		strings.Join(rowNames(), ","))
	f.Float64Var(&o.seconds, "seconds", 4, "length of a timed run")
	f.IntVar(&o.rounds, "rounds", 3, "measured rounds")
	f.IntVar(&o.warmups, "warmups", 3,
		"rounds before the measured ones, for Kafka; 1 for others")
	f.IntVar(&o.batch, "batch", 256<<10, "bytes of the batches that the client encodes")
	f.IntVar(&o.touchMB, "touch", 3000, "MB of memory touched and freed before a timed run; 0: none")
	f.IntVar(&o.coldMB, "cold", 2048, "MiB of the cold reads")
	f.BoolVar(&o.noKafka, "no-kafka", false, "leave Kafka out")
	f.StringVar(&o.output, "o", "markdown", "markdown or json")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(rowNames(), name) {
			return o, fmt.Errorf("there is no row %q; the rows: %s", name, strings.Join(rowNames(), ", "))
		}
	}
	if o.seconds <= 0 || o.rounds < 1 || o.warmups < 0 {
		return o, errors.New("-seconds and -rounds must be above 0, -warmups not below")
	}
	if o.output != "markdown" && o.output != "json" {
		return o, fmt.Errorf("-o %q: must be markdown or json", o.output)
	}
	return o, nil
}
