package driver

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
)

const scenarioTimeMax = 60 * time.Second

// library is a client with its name, as the report shows it.
type library struct {
	name, version string
	client        Client
}

// result is the line of one scenario.
type result struct {
	Client   string `json:"client"`
	Version  string `json:"version"`
	Scenario string `json:"scenario"`
	Result   string `json:"result"`
	Detail   string `json:"detail"`
	Millis   int64  `json:"ms"`
}

// run is one scenario under way.
type run struct {
	c       Client
	prefix  string
	without []string
}

// name of a topic, group or transactional id.
func (r *run) name(
	parts ...string,
) string {
	return strings.Join(append([]string{r.prefix}, parts...), ".")
}

// may forgives a step that the library has not.
func (r *run) may(err error) error {
	var absent Absent
	if errors.As(err, &absent) {
		r.leaveOut(string(absent))
		return nil
	}
	return err
}

func (r *run) leaveOut(what string) {
	for _, each := range r.without {
		if each == what {
			return
		}
	}
	r.without = append(r.without, what)
}

// steps are the scenarios by name, in the order of the report.
var steps = []struct {
	name string
	walk func(context.Context, *run) error
}{
	{"codecs", codecs},
	{"idempotent", idempotent},
	{"transactions", transactions},
	{"time", byTime},
	{"admin", admin},
	{"large", large},
	{"headers", headers},
	{"nulls", nulls},
	{"partitions", partitions},
	{"sealed", sealed},
}

// Run is the whole of a driver's main: connect makes a client of a server. module is the path of the
// library's Go module, whose version is told. It returns the exit code.
func Run(name, module string, connect func(bootstrap string) (Client, error)) int {
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "HOST:PORT of the server")
	scenario := flag.String("scenario", "all", "name of a scenario, all, or member")
	prefix := flag.String("prefix", fmt.Sprintf("compat-%d", time.Now().UnixMilli()), "prefix of all names")
	flag.Int64("seed", 1, "seed of what is random")
	m := memberFlags()
	flag.Parse()
	client, err := connect(*bootstrap)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if *scenario == "member" {
		return member(client, *m)
	}
	found := false
	for _, s := range steps {
		if s.name == *scenario || *scenario == "all" {
			found = true
			one(library{name, versionOf(module), client}, s.name, &run{c: client, prefix: *prefix}, s.walk)
		}
	}
	if !found {
		fmt.Fprintf(os.Stderr, "no scenario %q\n", *scenario)
		return 2
	}
	return 0
}

// versionOf is the version of a module in this binary.
func versionOf(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return strings.TrimPrefix(m.Version, "v")
			}
		}
	}
	return module // not a module's path: a version
}

// one walks a scenario and prints its line, at the latest after scenarioTimeMax.
func one(l library, name string, r *run, walk func(context.Context, *run) error) {
	ctx, cancel := context.WithTimeout(context.Background(), scenarioTimeMax)
	defer cancel()
	begun := time.Now()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic: %v", p)
			}
		}()
		done <- walk(ctx, r)
	}()
	var err error
	select {
	case err = <-done:
	case <-time.After(scenarioTimeMax + time.Second):
		err = fmt.Errorf("did not end within %s", scenarioTimeMax)
		r = &run{}
	}
	line := result{l.name, l.version, name, "pass", "", time.Since(begun).Milliseconds()}
	var absent Absent
	switch {
	case errors.As(err, &absent):
		line.Result, line.Detail = "absent", string(absent)
	case err != nil:
		line.Result, line.Detail = "fail", strings.ReplaceAll(err.Error(), "\n", " ")
	case len(r.without) > 0:
		line.Detail = "no " + strings.Join(r.without, ", no ")
	}
	printLine(line)
}

var stdout sync.Mutex

func printLine(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs
	}
	stdout.Lock()
	defer stdout.Unlock()
	_, _ = os.Stdout.Write(append(text, '\n'))
}

// untilAsked ends when stdin does, or a signal comes.
func untilAsked() (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx, cancel
}
