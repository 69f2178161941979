package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

type options struct {
	root, varve, kafka, cache string
	only                      *regexp.Regexp
	scenarios                 map[string]bool
	rewrite, suite, clients   bool
	jobs, rounds              int
}

func main() {
	o := parse()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "card:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	only := flag.String("only", "", "clients to run, a regular expression on their names and versions")
	scenarios := flag.String("scenarios", "", "scenarios to run, by comma")
	flag.StringVar(&o.root, "root", "bench/compat", "folder of the drivers")
	flag.StringVar(&o.varve, "varve", "bin/varve", "the binary to test")
	flag.StringVar(&o.kafka, "kafka", "", "HOST:PORT of a server that runs, instead of an agent")
	flag.StringVar(
		&o.cache, "cache", "", "directory of what is installed (default: varve-compat in the user's cache)",
	)
	flag.BoolVar(&o.rewrite, "rewrite", false, "write the tables into docs/compatibility.md")
	flag.BoolVar(&o.suite, "suite", false, "run franz-go's own integration tests too")
	flag.BoolVar(&o.clients, "clients", true, "run the scenarios")
	flag.IntVar(&o.jobs, "jobs", 3, "how many drivers or groups run at a time")
	flag.IntVar(&o.rounds, "rounds", 1, "how often everything is run, to find what fails now and then")
	flag.Parse()
	o.only = regexp.MustCompile(*only)
	o.scenarios = map[string]bool{}
	for _, name := range columns {
		o.scenarios[name] = *scenarios == ""
	}
	for _, name := range strings.FieldsFunc(*scenarios, func(r rune) bool { return r == ',' }) {
		if _, ok := o.scenarios[name]; !ok {
			fmt.Fprintf(os.Stderr, "card: no scenario %q: %s\n", name, strings.Join(columns, ", "))
			os.Exit(2)
		}
		o.scenarios[name] = true
	}
	return o
}

func run(ctx context.Context, o options) error {
	if o.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			dir = os.TempDir()
		}
		o.cache = filepath.Join(dir, "varve-compat")
	}
	if err := os.MkdirAll(o.cache, 0o755); err != nil {
		return err
	}
	var all report
	if o.clients {
		plugs, err := installAll(ctx, o)
		if err != nil {
			return err
		}
		for range o.rounds {
			if err := card(ctx, o, plugs, &all); err != nil {
				return err
			}
		}
	}
	if o.suite {
		line, err := suite(ctx, o)
		if err != nil {
			return err
		}
		all.add(line)
	}
	fmt.Print("\n", all.plain())
	return all.judge(o)
}

// card runs all clients against one server, and Kafka's tools against another.
func card(ctx context.Context, o options, plugs []plug, all *report) error {
	s, err := serve(ctx, o, quickMembers...)
	if err != nil {
		return err
	}
	defer s.stop()
	plainServer, err := serve(ctx, o, startAtOnce)
	if err != nil {
		return err
	}
	defer plainServer.stop()
	begun := time.Now()
	if err := prepare(ctx, s, o); err != nil {
		return fmt.Errorf("prepare topics: %w", err)
	}
	progress("topics are ready after %s", time.Since(begun).Round(time.Millisecond))
	runJobs(ctx, o, jobs(s, plainServer, o, plugs), all)
	progress("all clients after %s", time.Since(begun).Round(time.Second))
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "card: "+format+"\n", args...)
}
