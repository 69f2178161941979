package main

import (
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/varve-log/varve/bench/jvm"
)

const (
	client  = "Kafka's tools"
	version = "4.3.1"
	timeMax = 230 * time.Second
)

//go:embed testdata
var testdata embed.FS

type options struct {
	bootstrap string
	prefix    string
	only      string
	rewrite   string
	classes   string
	verbose   bool
}

func main() {
	var o options
	flag.StringVar(&o.bootstrap, "bootstrap", "", "`HOST:PORT` of the broker")
	flag.StringVar(&o.prefix, "prefix", "tools", "begins the names of topics and groups; new for each run")
	flag.StringVar(&o.only, "only", "", "`NAME` of one transcript; default: all")
	flag.StringVar(&o.rewrite, "rewrite", "", "`DIR` to write what is printed into, as Kafka's")
	flag.StringVar(&o.classes, "libs", "", "`DIR` of Kafka's jars; default: installed with Maven")
	flag.BoolVar(&o.verbose, "v", false, "print differences on stderr")
	cache := flag.String("install", "", "`DIR` to install into; print the clients and end")
	flag.String("scenario", "all", "for the report card")
	flag.Int("seed", 0, "for the report card")
	flag.Parse()
	work := func() error { return run(o) }
	if *cache != "" {
		work = func() error { return install(*cache) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	if o.classes == "" {
		cache, err := jvm.DefaultCache()
		if err != nil {
			return err
		}
		p, err := cache.Install(context.Background(), "kafka", filepath.Join("bench", "jvm"))
		if err != nil {
			return err
		}
		o.classes = filepath.Join(p.Dir, "libs")
	}
	names, err := transcripts()
	if err != nil {
		return err
	}
	prefix := o.prefix
	for i, name := range names {
		// Transcripts run side by side on one broker, and none has a prefix that begins another's.
		o.prefix = fmt.Sprintf("%s-%02d", prefix, i)
		if o.only != "" && o.only != name {
			continue
		}
		text, err := testdata.ReadFile("testdata/" + name + ".txt")
		if err != nil {
			return err
		}
		begun := time.Now()
		detail, err := walk(o, name, parse(string(text)))
		if err := report(name, detail, err, time.Since(begun)); err != nil {
			return err
		}
	}
	return nil
}

// walk runs one transcript and tells how many answers are Kafka's.
func walk(o options, name string, t transcript) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeMax)
	defer cancel()
	sh, err := newShell(o)
	if err != nil {
		return "", err
	}
	defer sh.close()
	same, differs := 0, 0
	var wrong []string
	for i := range t.steps {
		s := &t.steps[i]
		got := normal(o, sh.run(ctx, s.command))
		switch {
		case o.rewrite != "":
			s.kafka = got
		case got == s.kafka:
			same++
		case s.reason != "" && got == s.varve:
			differs++
		default:
			wrong = append(wrong, s.command)
			if o.verbose {
				fmt.Fprintf(os.Stderr, "--- %s: $ %s\nwant:\n%s\ngot:\n%s\n", name, s.command, s.kafka, got)
			}
		}
	}
	if o.rewrite != "" {
		return "", os.WriteFile(filepath.Join(o.rewrite, name+".txt"), []byte(t.String()), 0o644)
	}
	if len(wrong) > 0 {
		return "", fmt.Errorf("%d of %d commands answer otherwise: %s",
			len(wrong), len(t.steps), strings.Join(wrong, "; "))
	}
	detail := fmt.Sprintf("%d commands as Kafka", same)
	if differs > 0 {
		detail += fmt.Sprintf(", %d differ as written in %s.txt", differs, name)
	}
	return detail, nil
}

// report prints one line of the drivers' protocol.
func report(name, detail string, failure error, took time.Duration) error {
	line := map[string]any{
		"client": client, "version": version, "scenario": name, "result": "pass", "detail": detail,
		"ms": took.Milliseconds(),
	}
	if failure != nil {
		line["result"], line["detail"] = "fail", failure.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}
