package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/compaction/gc"
	"github.com/varve-log/varve/internal/render"
	"github.com/varve-log/varve/kafka"
)

// errProblems makes fsck exit with 1.
var errProblems = errors.New("the bucket has problems")

func graceFlag() cli.Flag {
	return &cli.DurationFlag{
		Name: "grace", Value: gc.GraceDefault, Usage: "`TIME` that an object is kept after its last reference",
	}
}

func (a *app) catalogFsckCommand() *cli.Command {
	return example(&cli.Command{
		Name: "fsck", Usage: "check every object of a bucket against the catalog",
		Description: "Writes nothing and may run beside agents. Exits with 1 when something is wrong; " +
			"garbage\nis not wrong, a sweep deletes it.",
		Flags: []cli.Flag{
			storeFlag(), graceFlag(),
			&cli.BoolFlag{Name: "deep", Usage: "ask the store for each segment's checksum"},
			&cli.BoolFlag{Name: "garbage", Usage: "list what is garbage, on stderr"},
			outputFlag("table", "json"),
		},
		Action: a.catalogFsck,
	}, "varve catalog fsck --store file:///var/lib/varve/bucket\nvarve catalog fsck --deep -o json")
}

func (a *app) catalogFsck(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	output, err := outputOf(cmd, "table", "json")
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	o := catalog.FsckOptions{Grace: cmd.Duration("grace"), Deep: cmd.Bool("deep")}
	if cmd.Bool("garbage") {
		o.Visit = func(f catalog.Finding) {
			if f.Class == catalog.Garbage {
				fmt.Fprintf(a.stderr, "garbage %s (%s): %s\n", f.Key, render.Bytes(f.Bytes), f.Why)
			}
		}
	}
	report, err := catalog.Fsck(ctx, store, o)
	if err != nil {
		return noCatalog(err, store.URL())
	}
	if output == "json" {
		err = render.JSON(a.stdout, report)
	} else {
		err = writeFsck(a.stdout, report)
	}
	if err == nil && !report.OK() {
		err = fmt.Errorf("%w: %d found", errProblems, report.ProblemCount)
	}
	return err
}

func writeFsck(w io.Writer, r *catalog.Report) error {
	fmt.Fprintf(w, "cluster %s at version %d: %d topics, %d partitions, %d segments, %s records\n",
		r.ClusterID, r.Version, r.Topics, r.Partitions, r.Segments, render.Count(r.Records))
	if r.Checkpoints > 0 {
		fmt.Fprintf(w, "checkpoints of %d compacted partitions\n", r.Checkpoints)
	}
	table := render.NewTable("CLASS", "OBJECTS", "BYTES")
	for _, class := range []catalog.Class{
		catalog.Live, catalog.Pending, catalog.Garbage, catalog.Foreign,
	} {
		table.Row(string(class), r.Keys[class].Objects, render.Bytes(r.Keys[class].Bytes))
	}
	if err := table.Write(w); err != nil {
		return err
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "problem %s: %s\n", p.Key, p.What)
	}
	if r.OK() {
		fmt.Fprintln(w, "no problems")
	}
	return nil
}

func (a *app) catalogSweepCommand() *cli.Command {
	return example(&cli.Command{
		Name: "gc", Usage: "delete the objects of a bucket that nothing refers to",
		Description: "Agents sweep by themselves. Without --stopped, what a running leader may still " +
			"commit is\nleft alone.",
		Flags: []cli.Flag{
			storeFlag(), graceFlag(), yesFlag(),
			&cli.BoolFlag{Name: "dry-run", Usage: "only tell what would be deleted"},
			&cli.BoolFlag{
				Name: "stopped", Usage: "no agent of the cluster runs: sweep what the last one left, too",
			},
			outputFlag("text", "json"),
		},
		Action: a.catalogSweep,
	}, `varve catalog gc --dry-run --store file:///var/lib/varve/bucket
varve catalog gc --stopped --grace 0s --yes`)
}

func (a *app) catalogSweep(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd); err != nil {
		return err
	}
	output, err := outputOf(cmd, "text", "json")
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	cat, err := catalog.Open(ctx, store, catalog.Options{})
	if err != nil {
		return noCatalog(err, store.URL())
	}
	defer cat.Close()
	grace := cmd.Duration("grace")
	if grace == 0 {
		grace = -1 // none; 0 would mean the default
	}
	visit := func(d gc.Deletion) {
		fmt.Fprintf(a.stderr, "%s (%s): %s\n", d.Key, render.Bytes(d.Bytes), d.Why)
	}
	o := gc.Options{Grace: grace, Stopped: cmd.Bool("stopped"), Visit: visit}
	summary, err := gc.New(cat, o).Plan(ctx)
	if err != nil {
		return fmt.Errorf("plan the sweep: %w", err)
	}
	if !cmd.Bool("dry-run") && (summary.Deleted.Objects > 0 || summary.Forgotten > 0) {
		if err := a.confirm(cmd, fmt.Sprintf("Delete these %d objects (%s)?",
			summary.Deleted.Objects, render.Bytes(summary.Deleted.Bytes))); err != nil {
			return err
		}
		o.Visit = nil
		if summary, err = gc.New(cat, o).Run(ctx); err != nil {
			return fmt.Errorf("sweep: %w; run it again to go on", err)
		}
	}
	if output == "json" {
		return render.JSON(a.stdout, summary)
	}
	verb := "deleted"
	if cmd.Bool("dry-run") {
		verb = "would delete"
	}
	fmt.Fprintf(a.stderr, "%s %d of %d objects (%s), %d pending\n", verb, summary.Deleted.Objects,
		summary.Listed.Objects, render.Bytes(summary.Deleted.Bytes), summary.Pending.Objects)
	return nil
}

func timeText(ts kafka.Timestamp) string {
	if ts == kafka.NoTimestamp {
		return "-"
	}
	return time.UnixMilli(int64(ts)).UTC().Format(time.RFC3339)
}
