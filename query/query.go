package query

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/varve-log/varve/query/duck"
	"github.com/varve-log/varve/query/output"
	"github.com/varve-log/varve/query/table"
)

// Options says how a statement is run and its rows are written.
type Options struct {
	// Format of the rows; empty is output.Table.
	Format output.Format
	// Width is the terminal's width in columns, to which a table is cut; 0: not cut.
	Width int
	// Explain runs the statement, writes no rows, and counts pruned partitions' segments too.
	Explain bool
	// Limits bound what the statement may use.
	Limits duck.Options
}

// Run runs one statement over src and writes its rows to w, unless Options.Explain. The report
// tells what was read, also when an error ended the statement half way.
func Run(ctx context.Context, src table.Source, statement string, w io.Writer, o Options,
) (rep duck.Report, err error) {
	if o.Format == "" {
		o.Format = output.Table
	}
	o.Limits.CountPruned = o.Limits.CountPruned || o.Explain
	db, err := duck.Open(src, o.Limits)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	res, err := db.Query(ctx, statement)
	if err != nil {
		return rep, err
	}
	defer func() {
		err = errors.Join(err, res.Close())
		rep = res.Report()
	}()
	if o.Explain {
		w = io.Discard
		o.Format = output.Arrow
	}
	out, err := output.New(o.Format, w, res.Schema(), output.Options{Width: o.Width})
	if err != nil {
		return rep, err
	}
	return rep, copyRows(ctx, res, out)
}

func copyRows(ctx context.Context, res *duck.Result, out output.Writer) error {
	for {
		rec, err := res.Next(ctx)
		if errors.Is(err, io.EOF) {
			return wrapWrite(out.Close())
		}
		if err != nil {
			return err
		}
		err = out.Write(rec)
		rec.Release()
		if err != nil {
			return wrapWrite(err)
		}
	}
}

func wrapWrite(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write the result: %w", err)
}
