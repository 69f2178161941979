// Command kcat runs the written scenarios with kcat, the command line of librdkafka. It translates
// and nothing else: the steps and their measure are in package driver.
//
// kcat writes and reads whole files and lines, so that each step is a process of its own. Topics are
// created with franz-go, as kcat cannot. A member is one kcat that consumes with -G, whose lines about
// rebalances and records come through one pipe, so that their order is kept.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

func main() {
	os.Exit(driver.Run("kcat", version(), func(bootstrap string) (driver.Client, error) {
		cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.MetadataMinAge(100*time.Millisecond))
		if err != nil {
			return nil, err
		}
		return &kcat{bootstrap, kadm.NewClient(cl)}, nil
	}))
}

// version is what `kcat -V` says of itself.
func version() string {
	out, _ := exec.Command("kcat", "-V").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if _, rest, ok := strings.Cut(line, "Version "); ok {
			return strings.Fields(rest)[0]
		}
	}
	return "unknown"
}

type kcat struct {
	bootstrap string
	adm       *kadm.Client
}

// Lines says that records are lines, and headers arguments, which hold no zero byte.
func (k *kcat) Lines() {}

// ClockOnly says that kcat cannot set timestamps.
func (k *kcat) ClockOnly() {}

func (k *kcat) Create(
	ctx context.Context, topic string, partitions int, settings map[string]string,
) error {
	configs := map[string]*string{}
	for name, value := range settings {
		configs[name] = kadm.StringPtr(value)
	}
	_, err := k.adm.CreateTopic(ctx, int32(partitions), 1, configs, topic)
	return err
}

// run is one kcat with input; it returns its output.
func (k *kcat) run(ctx context.Context, in []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "kcat", append([]string{"-b", k.bootstrap}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	err := cmd.Run()
	if text := errs.String(); err != nil || strings.Contains(text, "Delivery failed") {
		return nil, failure{strings.Join(strings.Fields(text), " "), err}
	}
	return out.Bytes(), nil
}

// failure is what kcat said, which is all there is to tell errors by.
type failure struct {
	text string
	err  error
}

func (f failure) Error() string { return fmt.Sprintf("kcat: %v: %s", f.err, f.text) }

func (k *kcat) Code(err error) string {
	var f failure
	if errors.As(err, &f) && strings.Contains(f.text, "Broker: Message size too large") {
		return driver.CodeTooLarge
	}
	return ""
}

func (k *kcat) OffsetFor(ctx context.Context, topic string, partition int32, at int64) (int64, error) {
	out, err := k.run(ctx, nil, "-Q", "-t", fmt.Sprintf("%s:%d:%d", topic, partition, at))
	if err != nil {
		return 0, err
	}
	_, offset, ok := strings.Cut(string(out), "offset ")
	if !ok {
		return 0, fmt.Errorf("kcat wrote %q", out)
	}
	return strconv.ParseInt(strings.TrimSpace(offset), 10, 64)
}

func (k *kcat) Partitions(ctx context.Context, topic string) (n, led int, err error) {
	out, err := k.run(ctx, nil, "-L", "-J", "-t", topic)
	if err != nil {
		return 0, 0, err
	}
	var list struct {
		Topics []struct {
			Partitions []struct{ Leader int }
		}
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return 0, 0, err
	}
	for _, p := range list.Topics[0].Partitions {
		n++
		if p.Leader >= 0 {
			led++
		}
	}
	return n, led, nil
}
