package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/varve-log/varve/internal/rowfile"
	"github.com/varve-log/varve/kafka"
)

const (
	// defaultFlights is looked for when no file is named.
	defaultFlights = "../shared/data/flights-3m.parquet"
	defaultRows    = 3_000_000
	rowsMin        = 1000
	keyColumn      = "origin"
	timeColumn     = "date"
)

// dataset is the input.
type dataset struct {
	path  string
	about string
	want  *summary
	bytes int64 // of all values
}

// prepare finds or makes the file of flights and reads it once.
func (d *demo) prepare(ctx context.Context) error {
	if err := d.findFlights(ctx); err != nil {
		return err
	}
	data := &d.data
	if err := data.read(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "   %s\n   %s, %d MB of values\n", data.about, data.want, data.bytes/1e6)
	return d.openReference(ctx)
}

// findFlights names the file, or writes one.
func (d *demo) findFlights(ctx context.Context) error {
	path := d.flights
	if path == "" {
		path = defaultFlights
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			d.data.path = filepath.Join(d.dir, "flights.parquet")
			d.data.about = fmt.Sprintf("%d generated flights", d.rows)
			return generate(d.data.path, d.rows)
		}
	}
	rows, err := rowfile.Open(path, rowfile.Options{})
	if err != nil {
		return err
	}
	total := int(rows.Progress().Total)
	if err := rows.Close(); err != nil {
		return err
	}
	d.data.path, d.data.about = path, path
	if total <= d.rows {
		return nil
	}
	d.data.path = filepath.Join(d.dir, "flights.parquet")
	d.data.about = fmt.Sprintf("the first %d of %d rows of %s", d.rows, total, path)
	return copyRows(ctx, path, d.data.path, d.rows)
}

// read makes the summary that everything is compared with.
func (s *dataset) read(ctx context.Context) error {
	rows, err := rowfile.Open(s.path, rowfile.Options{Key: keyColumn, Timestamp: timeColumn})
	if err != nil {
		return err
	}
	defer rows.Close()
	t := newTally(int(rows.Progress().Total))
	for ctx.Err() == nil {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			s.want = t.finish()
			return nil
		}
		if err != nil {
			return err
		}
		if row.Key == nil || row.Timestamp == kafka.NoTimestamp {
			return fmt.Errorf("%s: row %d lacks %s or %s: the demo wants both",
				s.path, row.Number, keyColumn, timeColumn)
		}
		t.add(&message{timestamp: int64(row.Timestamp), key: row.Key, value: row.Value})
		s.bytes += int64(len(row.Value))
	}
	return ctx.Err()
}
