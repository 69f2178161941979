package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/varve-log/varve/bench/process"
	"github.com/varve-log/varve/internal/objstore/open"
)

// topicConfigs make many small segments. Rows come in order of time, so that record times ascend in
// each partition and segment.ms, which Kafka takes from record times, rolls about once a week of
// flights; busy partitions roll by segment.bytes before. Were the rows in random order, each
// batch would span the half year, and segment.ms would have to be longer than that not to roll at
// every batch. The flights are of 2001: any retention.ms would expire them at once. Of what is
// sealed, local.retention.bytes keeps so little on the disk that most reads come from the bucket.
var topicConfigs = []string{
	"segment.bytes=2097152", "segment.ms=604800000", "retention.ms=-1",
	"local.retention.bytes=1048576", "varve.value.format=json",
}

// demo is one run.
type demo struct {
	options
	out io.Writer
	dir string

	data      dataset
	reference *reference // nil where there is no DuckDB

	url     string // of the bucket
	foreign bool   // the bucket is not of our making
	stack   string // directory of the MinIO that was started
	agent   *process.Agent
	ends    []int64 // by partition, the end of the flights
}

type step struct {
	name string
	run  func(context.Context) error
}

func (d *demo) steps() []step {
	return []step{
		{"the flights", d.prepare},
		{"start an agent over " + d.store, d.start},
		{"create the topic", d.createTopic},
		{"produce", d.produce},
		{"seal", d.seal},
		{"consume from the earliest offset by kcat", d.consumeByKcat},
		{"consume from the earliest offset by franz-go", d.consumeByFranz},
		{"stop the agent and delete its data directory", d.loseDisk},
		{"replay from the bucket", d.replay},
		{"query the bucket", d.query},
		{"start the agent on an empty disk and consume by franz-go", d.startAgain},
		{"produce on", d.produceOn},
	}
}

func (d *demo) start(ctx context.Context) error {
	if err := d.openBucket(ctx); err != nil {
		return err
	}
	agent, err := process.New(process.Config{
		Varve: d.varve, DataDir: filepath.Join(d.dir, "disk-1"), Store: d.url,
	})
	if err != nil {
		return err
	}
	d.agent = agent
	fmt.Fprintf(d.out, "   %s at %s\n", d.url, agent.Bootstrap())
	return agent.Start(ctx)
}

func (d *demo) createTopic(ctx context.Context) error {
	args := []string{"topic", "create", topic, "--partitions", fmt.Sprint(partitions)}
	for _, c := range topicConfigs {
		args = append(args, "--config", c)
	}
	return d.show(ctx, append(args, "--bootstrap", d.agent.Bootstrap())...)
}

func (d *demo) produce(ctx context.Context) error {
	return d.show(ctx, "produce", topic, "--file", d.data.path, "--key", keyColumn,
		"--timestamp", timeColumn, "--bootstrap", d.agent.Bootstrap())
}

// seal seals, and shows that the bucket has every record.
func (d *demo) seal(ctx context.Context) (err error) {
	http := strings.TrimPrefix(d.agent.HTTP(), "http://")
	if err := d.show(ctx, "topic", "seal", topic, "--http", http); err != nil {
		return err
	}
	if err := d.show(ctx, "topic", "describe", topic, "--http", http,
		"--bootstrap", d.agent.Bootstrap()); err != nil {
		return err
	}
	if d.ends, err = endOffsets(ctx, d.agent.Bootstrap()); err != nil {
		return err
	}
	store, err := open.Open(ctx, d.url, open.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	keys, size, err := objects(ctx, store)
	if err == nil {
		fmt.Fprintf(d.out, "   the bucket holds %d objects, %d MB\n", len(keys), size/1e6)
	}
	return err
}

// loseDisk leaves the bucket alone.
func (d *demo) loseDisk(context.Context) error {
	if err := d.agent.Stop(); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(d.dir, "disk-1"))
}

func (d *demo) replay(ctx context.Context) error {
	t := newTally(len(d.data.want.digests))
	cmd := exec.CommandContext(ctx, d.varve, "replay", topic, "--store", d.url, "-o", "json")
	if err := tallyCommand(ctx, cmd, (&replayLines{}).parse, t); err != nil {
		return err
	}
	return d.compare(t)
}

func (d *demo) startAgain(ctx context.Context) error {
	d.agent.SetDataDir(filepath.Join(d.dir, "disk-2"))
	if err := d.agent.Start(ctx); err != nil {
		return err
	}
	return d.consumeByFranz(ctx)
}

func (d *demo) produceOn(ctx context.Context) error {
	n, err := produceOn(ctx, d.agent.Bootstrap(), d.ends)
	if err == nil {
		fmt.Fprintf(d.out, "   %d records at the next offsets, all consumed\n", n)
	}
	return err
}

// compare compares a stream with the input and prints its figures.
func (d *demo) compare(t *tally) error {
	got, err := t.sameAs(d.data.want)
	if err == nil {
		fmt.Fprintf(d.out, "   %s, order of keys as in the input\n", got)
	}
	return err
}

// show runs varve and prints what it says.
func (d *demo) show(ctx context.Context, args ...string) error {
	out, err := d.varveOutput(ctx, d.out, args...)
	if len(out) > 0 {
		fmt.Fprint(d.out, indent(out))
	}
	return err
}

// varveOutput runs varve and returns what it prints; what it tells people goes to notes.
func (d *demo) varveOutput(ctx context.Context, notes io.Writer, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, d.varve, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("%s: %w: %s", cmd, err, tailOf(stderr.Bytes()))
	}
	if stderr.Len() > 0 {
		fmt.Fprint(notes, indent(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// agentLog is the end of the agent's log, for an error.
func (d *demo) agentLog() string {
	if d.agent == nil {
		return ""
	}
	return "\nthe agent's log ends with\n" + indent([]byte(d.agent.Log()))
}

// close stops everything and, after success, removes it.
func (d *demo) close(passed bool) error {
	var errs []error
	switch {
	case d.agent == nil:
	case passed:
		errs = append(errs, d.agent.Stop())
	default:
		errs = append(errs, d.agent.Kill())
	}
	if d.reference != nil {
		errs = append(errs, d.reference.close())
	}
	errs = append(errs, d.closeBucket(passed))
	if err := errors.Join(errs...); err != nil || !passed {
		return err
	}
	return os.RemoveAll(d.dir)
}
