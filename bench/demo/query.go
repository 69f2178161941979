package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// question is one statement over the topic and the same over the Parquet file, where the table
// flights has the columns of the input. Both give integers and text only, in a total order.
type question struct{ name, topic, file string }

var questions = []question{
	{
		name:  "count",
		topic: `SELECT count(*) AS n FROM flights`,
		file:  `SELECT count(*) AS n FROM flights`,
	},
	{
		name: "group by origin",
		topic: `SELECT decode(key) AS origin, count(*) AS n, max((value->>'delay')::BIGINT) AS worst
FROM flights GROUP BY origin ORDER BY origin`,
		file: `SELECT origin, count(*) AS n, max(delay) AS worst
FROM flights GROUP BY origin ORDER BY origin`,
	},
	{
		name: "top 10 delays",
		topic: `SELECT (value->>'delay')::BIGINT AS delay, epoch_ms(timestamp) AS ms, decode(key) AS origin,
  value->>'destination' AS destination, (value->>'distance')::BIGINT AS distance
FROM flights ORDER BY delay DESC, ms, origin, destination, distance LIMIT 10`,
		file: `SELECT delay, epoch_ms(date) AS ms, origin, destination, distance
FROM flights ORDER BY delay DESC, ms, origin, destination, distance LIMIT 10`,
	},
	{
		name: "one week, some columns",
		topic: `SELECT epoch_ms(timestamp) AS ms, value->>'origin' AS origin,
  value->>'destination' AS destination
FROM flights WHERE timestamp >= '2001-01-05' AND timestamp < '2001-01-12' ORDER BY ALL`,
		file: `SELECT epoch_ms(date) AS ms, origin, destination
FROM flights WHERE date >= '2001-01-05' AND date < '2001-01-12' ORDER BY ALL`,
	},
	{
		name: "join of two aggregates",
		topic: `WITH departures AS (
  SELECT value->>'origin' AS airport, count(*) AS n FROM flights GROUP BY airport
), arrivals AS (
  SELECT value->>'destination' AS airport, count(*) AS n FROM flights GROUP BY airport
)
SELECT airport, d.n AS departed, a.n AS arrived
FROM departures d JOIN arrivals a USING (airport) ORDER BY airport`,
		file: `WITH departures AS (
  SELECT origin AS airport, count(*) AS n FROM flights GROUP BY airport
), arrivals AS (
  SELECT destination AS airport, count(*) AS n FROM flights GROUP BY airport
)
SELECT airport, d.n AS departed, a.n AS arrived
FROM departures d JOIN arrivals a USING (airport) ORDER BY airport`,
	},
	{
		name: "self-join: flights that left for each other in the same minute",
		topic: `SELECT decode(a.key) AS one, decode(b.key) AS other, count(*) AS n
FROM flights a JOIN flights b ON a.timestamp = b.timestamp
  AND (a.value->>'destination') = decode(b.key) AND (b.value->>'destination') = decode(a.key)
WHERE a.key < b.key GROUP BY ALL ORDER BY one, other`,
		file: `SELECT a.origin AS one, b.origin AS other, count(*) AS n
FROM flights a JOIN flights b ON a.date = b.date
  AND a.destination = b.origin AND b.destination = a.origin
WHERE a.origin < b.origin GROUP BY ALL ORDER BY one, other`,
	},
}

// query asks every question of the bucket and of the file.
func (d *demo) query(ctx context.Context) error {
	if d.reference == nil {
		fmt.Fprintln(d.out, "   left out: built without a C compiler, which DuckDB needs")
		return nil
	}
	for _, q := range questions {
		begun := time.Now()
		rows, err := d.ask(ctx, q)
		if err != nil {
			return fmt.Errorf("query %q: %w", q.name, err)
		}
		fmt.Fprintf(d.out, "   %s: %d rows, equal, %.1f s\n", q.name, rows, time.Since(begun).Seconds())
	}
	return nil
}

func (d *demo) ask(ctx context.Context, q question) (rows int, err error) {
	out, err := d.varveOutput(ctx, io.Discard, "query", "--store", d.url, "-o", "csv", q.topic)
	if err != nil {
		return 0, err
	}
	got, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("the answer is not CSV: %w", err)
	}
	want, err := d.reference.rows(ctx, q.file)
	if err != nil {
		return 0, fmt.Errorf("over the Parquet file: %w", err)
	}
	return len(got) - 1, sameRows(want, got)
}

// sameRows compares two answers, each with its header.
func sameRows(want, got [][]string) error {
	for i := range min(len(want), len(got)) {
		if !slices.Equal(want[i], got[i]) {
			return fmt.Errorf("row %d differs: the topic has %s, the Parquet file has %s",
				i, strings.Join(got[i], "|"), strings.Join(want[i], "|"))
		}
	}
	if len(want) != len(got) {
		return fmt.Errorf("the topic gives %d rows, the Parquet file %d", len(got)-1, len(want)-1)
	}
	return nil
}
