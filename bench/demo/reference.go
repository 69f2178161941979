//go:build cgo

package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // the driver that sql.Open names
)

// reference answers SQL over the Parquet file by DuckDB alone.
type reference struct{ db *sql.DB }

// fileDigests sums the digests of the records that the rows should become.
const fileDigests = `SELECT count(*), sum(md5_number_upper(text))::VARCHAR,
  sum(md5_number_lower(text))::VARCHAR
FROM (SELECT concat(origin, chr(9), epoch_ms(date), chr(9),
  '{"date":"', strftime(date, '%Y-%m-%dT%H:%M:%SZ'), '","delay":', delay, ',"distance":', distance,
  ',"origin":"', origin, '","destination":"', destination, '"}') AS text FROM flights)`

// openReference opens the file and checks the input's summary with it.
func (d *demo) openReference(ctx context.Context) error {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	d.reference = &reference{db}
	view := fmt.Sprintf("CREATE VIEW flights AS FROM read_parquet('%s')",
		strings.ReplaceAll(d.data.path, "'", "''"))
	if _, err := db.ExecContext(ctx, view); err != nil {
		return err
	}
	var records int
	var upper, lower string
	err = db.QueryRowContext(ctx, fileDigests).Scan(&records, &upper, &lower)
	if err != nil {
		return fmt.Errorf("sum the digests of %s: %w", d.data.path, err)
	}
	want := d.data.want
	wantUpper, wantLower := want.sums()
	if records != len(want.digests) || upper != wantUpper || lower != wantLower {
		return fmt.Errorf("%s as DuckDB reads it has %d records with digests of sum %s, %s; as rows for "+
			"produce it has %d of sum %s, %s", d.data.path, records, upper, lower,
			len(want.digests), wantUpper, wantLower)
	}
	fmt.Fprintln(d.out, "   DuckDB makes the same records of the file")
	return nil
}

// rows answers a statement as text, with a header.
func (r *reference) rows(ctx context.Context, statement string) ([][]string, error) {
	rows, err := r.db.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	header, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	answer := [][]string{header}
	for rows.Next() {
		row := make([]string, len(header))
		cells := make([]any, len(header))
		for i := range cells {
			cells[i] = &row[i]
		}
		if err := rows.Scan(cells...); err != nil {
			return nil, err
		}
		answer = append(answer, row)
	}
	return answer, rows.Err()
}

func (r *reference) close() error { return r.db.Close() }
