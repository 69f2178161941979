package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query/arrowrec"
	"github.com/varve-log/varve/query/bucket"
	"github.com/varve-log/varve/query/output"
	"github.com/varve-log/varve/query/table"
	"github.com/varve-log/varve/tiering/replay"
)

type valueFormat = table.ValueFormat

func valueFormatOf(state *cluster.State, t *cluster.Topic) (valueFormat, error) {
	const name = "varve.value.format"
	text := t.Configs[name]
	if text == "" {
		text = state.DefaultConfigs()[name]
	}
	if text == "" {
		return table.Raw, nil
	}
	return table.ParseValueFormat(text)
}

// writeReplay writes all parts to stdout or --out.
func (a *app) writeReplay(ctx context.Context, j *replayJob) error {
	if j.output.columns() {
		return a.writeOut(j.out, func(w io.Writer) error { return j.runColumns(ctx, w) })
	}
	if j.out == "" {
		out := bufio.NewWriterSize(a.stdout, outputBuffer)
		nowhere := func(int, kafka.Offset) error { return nil }
		return errors.Join(j.runLines(ctx, out, nowhere), out.Flush())
	}
	file, err := openResumable(j)
	if err != nil {
		return err
	}
	j.resumable = true
	err = j.runLines(ctx, file.w, file.at)
	return errors.Join(err, file.close(err == nil))
}

// runLines writes records one a line; at is told each position that was written up to.
func (j *replayJob) runLines(
	ctx context.Context, w *bufio.Writer, at func(part int, next kafka.Offset) error,
) error {
	for i := range j.parts {
		if err := j.writePart(ctx, w, i, at); err != nil {
			return fmt.Errorf("partition %d: %w", j.parts[i].manifest.TP().Partition, err)
		}
	}
	return nil
}

func (j *replayJob) iterator(ctx context.Context, p replayPart) (*replay.Iterator, error) {
	return j.reader.Open(ctx, p.manifest, replay.Options{
		From: p.offsets.Base, To: p.offsets.Next, SkipCorrupt: j.skipCorrupt,
	})
}

func (j *replayJob) writePart(
	ctx context.Context, w *bufio.Writer, i int, at func(int, kafka.Offset) error,
) error {
	p := j.parts[i]
	if p.offsets.Base >= p.offsets.Next {
		return nil
	}
	it, err := j.iterator(ctx, p)
	if err != nil {
		return err
	}
	defer func() {
		j.skipped = append(j.skipped, it.Skipped()...)
		it.Close()
	}()
	lines := &lineWriter{
		w: w, partition: p.manifest.TP().Partition, json: j.output == "json",
		offsets: p.offsets, times: j.times(), isolation: j.isolation,
	}
	for {
		run, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		written, err := lines.run(run)
		next := min(run.Offsets.Next, p.offsets.Next)
		run.Release()
		if err != nil {
			return err
		}
		j.bar.Add(written, 0)
		if err := at(i, next); err != nil {
			return err
		}
	}
}

// lineWriter writes the records of one partition that lie in a range of offsets and of times.
type lineWriter struct {
	w         *bufio.Writer
	partition int32
	json      bool
	offsets   kafka.OffsetRange
	times     arrowrec.TimeRange
	isolation replay.Isolation
	records   record.Iterator
	line      []byte
}

func (l *lineWriter) run(run *replay.Run) (written int64, err error) {
	for b := range run.Visible(l.isolation) {
		n, err := l.batch(b)
		written += n
		if err != nil {
			return written, fmt.Errorf("batch at offset %d: %w", b.BaseOffset(), err)
		}
	}
	return written, nil
}

func (l *lineWriter) batch(b record.Batch) (written int64, err error) {
	l.records.Reset(b, record.DefaultLimits())
	defer l.records.Close()
	for l.records.Next() {
		r := l.records.Record()
		if !l.wants(r) {
			continue
		}
		if l.json {
			l.line = appendRecordJSON(l.line[:0], l.partition, r)
			_, err = l.w.Write(l.line)
		} else {
			_, _ = l.w.Write(r.Value) // the error stays with the writer
			err = l.w.WriteByte('\n')
		}
		if err != nil {
			return written, err
		}
		written++
	}
	return written, l.records.Err()
}

func (l *lineWriter) wants(r record.Record) bool {
	return r.Offset >= l.offsets.Base && r.Offset < l.offsets.Next &&
		(l.times.From == 0 || r.Timestamp >= l.times.From) &&
		(l.times.To == 0 || r.Timestamp < l.times.To)
}

// runColumns writes all parts as one Arrow stream or Parquet file.
func (j *replayJob) runColumns(ctx context.Context, w io.Writer) error {
	out, err := output.New(output.Format(j.output), w,
		arrowrec.Schema(arrowrec.AllColumns, j.format), output.Options{})
	if err != nil {
		return err
	}
	for _, p := range j.parts {
		if err := j.writeColumns(ctx, out, p); err != nil {
			return fmt.Errorf("partition %d: %w", p.manifest.TP().Partition, err)
		}
	}
	return out.Close()
}

func (j *replayJob) writeColumns(ctx context.Context, out output.Writer, p replayPart) error {
	if p.offsets.Base >= p.offsets.Next {
		return nil
	}
	it, err := j.iterator(ctx, p)
	if err != nil {
		return err
	}
	batches := bucket.NewBatchReader(it, j.isolation)
	rows := arrowrec.NewReader(p.manifest.TP().Partition, batches, arrowrec.Options{
		Format: j.format, Offsets: p.offsets, Times: j.times(),
	})
	defer func() {
		j.skipped = append(j.skipped, it.Skipped()...)
		_ = rows.Close()
	}()
	for {
		rec, err := rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = out.Write(rec)
		j.bar.Add(rec.NumRows(), 0)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// reportSkips tells what --skip-corrupt passed over.
func (j *replayJob) reportSkips(w io.Writer) {
	var offsets int64
	for _, s := range j.skipped {
		offsets += int64(s.Offsets.Next - s.Offsets.Base)
		fmt.Fprintf(w, "skipped offsets %d-%d: %v\n", s.Offsets.Base, s.Offsets.Next, s.Err)
	}
	if len(j.skipped) > 0 {
		fmt.Fprintf(w, "skipped %d ranges, %d offsets in all\n", len(j.skipped), offsets)
	}
}
