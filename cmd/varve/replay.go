package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/progress"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/query/arrowrec"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

func (a *app) replayCommand() *cli.Command {
	return example(&cli.Command{
		Name: "replay", Usage: "read sealed records straight from the bucket", ArgsUsage: "TOPIC",
		Description: "Asks no agent. raw prints values, json one object a record; arrow and parquet have " +
			"the\ncolumns of `varve query`. A range ends before --to. Partitions follow one another. " +
			"What\nwas aborted is left out.",
		Flags: []cli.Flag{
			storeFlag(),
			&cli.Int32SliceFlag{Name: "partition", Usage: "`NUMBER` of a partition; repeat for more"},
			&cli.StringFlag{Name: "from", Value: "earliest", Usage: "`WHERE` to begin: an offset or a time"},
			&cli.StringFlag{Name: "to", Value: "latest", Usage: "`WHERE` to end: an offset or a time"},
			outputFlag("raw", "json", "arrow", "parquet"),
			&cli.StringFlag{Name: "out", Usage: "`FILE` to write to instead of stdout"},
			&cli.BoolFlag{Name: "continue", Usage: "go on with an interrupted --out FILE"},
			&cli.BoolFlag{
				Name: "skip-corrupt", Usage: "pass over missing and corrupt objects, and count them",
			},
			readUncommittedFlag(),
			&cli.IntFlag{Name: "parallel", Usage: "`NUMBER` of ranged GETs at once", Value: 4},
		},
		Action: a.replay,
	}, `varve replay flights --store file:///var/lib/varve/bucket > flights.ndjson
varve replay flights --from 2001-02-01 --to 2001-02-08 -o parquet --out week.parquet
varve replay flights --partition 3 --from 1000 --to 2000 -o json
varve replay flights --out flights.ndjson --continue`)
}

func (a *app) replay(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "TOPIC")
	if err != nil {
		return err
	}
	job, err := replayJobOf(cmd, args[0])
	if err != nil {
		return err
	}
	if job.output.columns() {
		if err := a.notForTerminal(cmd); err != nil {
			return err
		}
	}
	store, reader, err := a.openCatalog(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	topic, err := archivedTopic(reader.State(), args[0])
	if err != nil {
		return err
	}
	if err := job.open(ctx, cmd, store, reader, topic); err != nil {
		return fmt.Errorf("replay %q: %w", args[0], err)
	}
	defer job.close()
	job.bar = progress.New(a.stderr, progress.Options{
		Verb: "replay", Draw: a.progress, Total: job.total(),
	})
	err = a.writeReplay(ctx, job)
	job.bar.Done()
	records, _ := job.bar.Totals()
	job.reportSkips(a.stderr)
	fmt.Fprintf(a.stderr, "replayed %s of %s\n", countOf(records, "record"), args[0])
	if err == nil {
		return nil
	}
	err = fmt.Errorf("replay %q: %w", args[0], err)
	if errors.Is(err, replay.ErrCorrupt) || errors.Is(err, replay.ErrMissing) {
		err = fmt.Errorf("%w, or pass over it with --skip-corrupt", err)
	}
	if job.resumable && records > 0 {
		return fmt.Errorf("%w; go on with --continue", err)
	}
	return err
}

// replayOutput is the form of what is replayed.
type replayOutput string

// columns: the form is a file of columns, which cannot be gone on with.
func (o replayOutput) columns() bool { return o == "arrow" || o == "parquet" }

// replayJob is what one command reads and writes.
type replayJob struct {
	topic       string
	topicID     kafka.TopicID
	output      replayOutput
	out         string
	goOn        bool
	skipCorrupt bool
	parallel    int
	isolation   replay.Isolation
	from, to    position

	footers *cache.Footers
	reader  *replay.Reader
	parts   []replayPart
	skipped []replay.Skip
	bar     *progress.Bar
	format  valueFormat
	// resumable: what was written can be gone on with.
	resumable bool
}

// replayPart is one partition: the offsets to read, and where the reading is.
type replayPart struct {
	manifest *catalog.PartitionManifest
	offsets  kafka.OffsetRange
}

func replayJobOf(cmd *cli.Command, topic string) (*replayJob, error) {
	output, err := outputOf(cmd, "raw", "json", "arrow", "parquet")
	if err != nil {
		return nil, err
	}
	j := &replayJob{
		topic: topic, output: replayOutput(output), out: cmd.String("out"),
		goOn: cmd.Bool("continue"), skipCorrupt: cmd.Bool("skip-corrupt"), parallel: cmd.Int("parallel"),
		isolation: isolationOf(cmd),
	}
	if j.from, err = positionOf(cmd, "from"); err != nil {
		return nil, err
	}
	if j.to, err = positionOf(cmd, "to"); err != nil {
		return nil, err
	}
	if j.goOn && (j.out == "" || j.output.columns()) {
		return nil, usagef(cmd, "--continue needs --out FILE and -o raw or json").withHint(
			"columns cannot be appended to: replay the rest into another file with --from")
	}
	if j.parallel < 1 || j.parallel > 256 {
		return nil, usagef(cmd, "--parallel %d is out of range", j.parallel).withHint("from 1 to 256")
	}
	return j, nil
}

// open finds the offsets to read in each partition.
func (j *replayJob) open(
	ctx context.Context, cmd *cli.Command, store objstore.Store, r *catalog.Reader, t *cluster.Topic,
) error {
	var err error
	if j.format, err = valueFormatOf(r.State(), t); err != nil {
		return err
	}
	j.topicID = t.ID
	j.footers = cache.NewFooters(store, cache.DefaultFooterConfig(), nil)
	cfg := replay.DefaultConfig()
	cfg.Parallel = j.parallel
	if j.reader, err = replay.New(store, j.footers, cfg, nil); err != nil {
		return err
	}
	tps, err := partitionsOf(cmd, t)
	if err != nil {
		return err
	}
	for _, tp := range tps {
		part := replayPart{manifest: r.Partition(tp)}
		if part.offsets, err = j.rangeOf(ctx, part.manifest); err != nil {
			return fmt.Errorf("partition %d: %w", tp.Partition, err)
		}
		j.parts = append(j.parts, part)
	}
	return nil
}

// rangeOf turns --from and --to into offsets of one partition.
func (j *replayJob) rangeOf(
	ctx context.Context, m *catalog.PartitionManifest,
) (kafka.OffsetRange, error) {
	head, err := m.Load(ctx)
	if err != nil {
		return kafka.OffsetRange{}, err
	}
	whole := kafka.OffsetRange{Base: head.LogStartOffset, Next: max(head.SealedEnd(), head.LogStartOffset)}
	r := whole
	switch {
	case j.from.special == "latest":
		r.Base = whole.Next
	case j.from.isTime:
		answer, found, err := j.reader.OffsetForTime(ctx, m, j.from.time, whole)
		if err != nil {
			return r, err
		}
		r.Base = whole.Next
		if found {
			r.Base = answer.Offset
		}
	case j.from.special == "":
		r.Base = min(max(j.from.offset, whole.Base), whole.Next)
	}
	switch {
	case j.to.special == "earliest":
		r.Next = r.Base
	case j.to.isTime:
		r.Next, err = lastBefore(ctx, m, j.to.time, r)
	case j.to.special == "":
		r.Next = max(min(j.to.offset, whole.Next), r.Base)
	}
	return r, err
}

// lastBefore is the end of the last segment in r that may hold a record older than ts: timestamps
// need not ascend, so single records are left out when they are written.
func lastBefore(
	ctx context.Context, m *catalog.PartitionManifest, ts kafka.Timestamp, r kafka.OffsetRange,
) (kafka.Offset, error) {
	end := r.Base
	for e, err := range m.Entries(ctx, r.Base) {
		if err != nil {
			return 0, err
		}
		if e.MinTimestamp < ts {
			end = min(e.NextOffset, r.Next)
		}
	}
	return max(end, r.Base), nil
}

// times is the range of timestamps wanted, as arrowrec has it: a zero bound is none.
func (j *replayJob) times() arrowrec.TimeRange {
	var t arrowrec.TimeRange
	if j.from.isTime {
		t.From = j.from.time
	}
	if j.to.isTime {
		t.To = j.to.time
	}
	return t
}

func (j *replayJob) total() int64 {
	var total int64
	for _, p := range j.parts {
		total += int64(p.offsets.Next - p.offsets.Base)
	}
	return total
}

func (j *replayJob) close() {
	if j.footers != nil {
		j.footers.Close()
	}
}
