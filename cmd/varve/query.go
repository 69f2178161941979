package main

import (
	"context"
	"io"
	"os"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/varve-log/varve/internal/render"
	"github.com/varve-log/varve/query"
	"github.com/varve-log/varve/query/bucket"
	"github.com/varve-log/varve/query/duck"
	"github.com/varve-log/varve/query/output"
	"github.com/varve-log/varve/tiering/replay"
)

func (a *app) queryCommand() *cli.Command {
	return example(&cli.Command{
		Name: "query", Usage: "run SQL over the sealed records of a bucket", ArgsUsage: "STATEMENT",
		Description: "Each topic is a table with the columns partition, offset, timestamp, key, value, " +
			"headers,\nleader_epoch, producer_id and producer_epoch. With varve.value.format=json the " +
			"value takes\nJSON operators. No agent is asked; what is not sealed yet is not seen, " +
			"nor what was aborted.",
		Flags: []cli.Flag{
			storeFlag(), outputFlag("table", "json", "csv", "arrow", "parquet"),
			&cli.StringFlag{Name: "out", Usage: "`FILE` to write to instead of stdout"},
			&cli.BoolFlag{Name: "explain", Usage: "print what is read and pruned instead of the rows"},
			readUncommittedFlag(),
			&cli.StringFlag{Name: "memory", Value: "1GiB", Usage: "largest `SIZE` of DuckDB's memory"},
			&cli.StringFlag{Name: "temp-dir", Usage: "`DIR` to spill to when memory is used up"},
		},
		Action: a.query,
	}, `varve query --store file:///var/lib/varve/bucket "SELECT count(*) FROM flights"
varve query -o csv "SELECT key, count(*) AS n FROM flights GROUP BY key ORDER BY n DESC"
varve query --explain "SELECT * FROM flights WHERE timestamp >= '2001-03-01'"`)
}

func (a *app) query(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, "a STATEMENT in quotes")
	if err != nil {
		return err
	}
	name, err := outputOf(cmd, "table", "json", "csv", "arrow", "parquet")
	if err != nil {
		return err
	}
	memory, err := bytesOf(cmd, "memory")
	if err != nil {
		return err
	}
	if o := output.Format(name); o.Binary() && !cmd.Bool("explain") {
		if err := a.notForTerminal(cmd); err != nil {
			return err
		}
	}
	o := query.Options{
		Format: output.Format(name), Explain: cmd.Bool("explain"),
		Limits: duck.Options{MemoryBytes: memory, TempDir: cmd.String("temp-dir")},
	}
	store, err := a.openStore(ctx, cmd)
	if err != nil {
		return err
	}
	defer store.Close()
	source, err := bucket.Open(ctx, store, replay.DefaultConfig())
	if err != nil {
		return noCatalog(err, store.URL())
	}
	defer source.Close()
	source.SetIsolation(isolationOf(cmd))
	out := cmd.String("out")
	return a.writeOut(out, func(w io.Writer) error {
		if out == "" {
			o.Width = terminalWidth(a.stdout)
		}
		report, err := query.Run(ctx, source, args[0], w, o)
		if err != nil || !o.Explain {
			return err
		}
		if name == "json" {
			return render.JSON(w, report)
		}
		return query.WriteReport(w, report)
	})
}

// notForTerminal refuses to write what is not text to one.
func (a *app) notForTerminal(cmd *cli.Command) error {
	if cmd.String("out") != "" || !isTerminal(a.stdout) {
		return nil
	}
	return usagef(cmd, "-o %s is not for a terminal", cmd.String("output")).withHint(
		"write it to a file with --out FILE, or pipe it on")
}

// terminalWidth is a terminal's number of columns; 0 for anything else.
func terminalWidth(stream any) int {
	f, ok := stream.(*os.File)
	if !ok || !isTerminal(f) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
