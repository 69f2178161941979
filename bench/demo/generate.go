package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// The shape of the real file: half a year of 2001 in order of time, to the minute; about 230
// airports, the greatest with one flight in eighteen; delays in minutes from -1116 to 1688, mostly
// small; distances in miles from 21 to 4962, one for each pair of airports.
const (
	airports     = 229
	generateSeed = 2001
	delayMin     = -1116
	delayMax     = 1688
	distanceMin  = 21
	distanceMax  = 4962
	rowGroupRows = 272_727
	batchRows    = 1 << 15
)

var (
	firstFlight = time.Date(2001, 1, 1, 0, 1, 0, 0, time.UTC)
	lastFlight  = time.Date(2001, 7, 1, 0, 0, 0, 0, time.UTC)

	flightSchema = arrow.NewSchema([]arrow.Field{
		{Name: "date", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
		{Name: "delay", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "distance", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "origin", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "destination", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
)

// generate writes a Parquet file of so many flights, the same ones each time.
func generate(path string, rows int) error {
	g := newGenerator(rows)
	b := array.NewRecordBuilder(memory.DefaultAllocator, flightSchema)
	defer b.Release()
	row := 0
	return writeFile(path, flightSchema, func() (arrow.RecordBatch, error) {
		if row == rows {
			return nil, io.EOF
		}
		for end := min(row+batchRows, rows); row < end; row++ {
			g.flight(row).appendTo(b)
		}
		return b.NewRecordBatch(), nil
	})
}

// copyRows writes the first rows of a Parquet file to another.
func copyRows(ctx context.Context, from, to string, rows int) error {
	pq, err := file.OpenParquetFile(from, false)
	if err != nil {
		return err
	}
	defer pq.Close()
	fr, err := pqarrow.NewFileReader(pq, pqarrow.ArrowReadProperties{BatchSize: batchRows},
		memory.DefaultAllocator)
	if err != nil {
		return err
	}
	in, err := fr.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return err
	}
	defer in.Release()
	left := int64(rows)
	return writeFile(to, in.Schema(), func() (arrow.RecordBatch, error) {
		if left == 0 {
			return nil, io.EOF
		}
		rec, err := in.Read()
		if err != nil {
			return nil, err
		}
		n := min(left, rec.NumRows())
		left -= n
		return rec.NewSlice(0, n), nil
	})
}

// writeFile writes the batches of next to a Parquet file, until io.EOF.
func writeFile(
	path string, schema *arrow.Schema, next func() (arrow.RecordBatch, error),
) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ignoreClosed(f.Close())) }()
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(rowGroupRows)),
		pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	for {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		err = w.WriteBuffered(rec)
		rec.Release()
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
}

// ignoreClosed is for the file that the Parquet writer closes itself.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

type flight struct {
	date                time.Time
	delay, distance     int64
	origin, destination string
}

func (f flight) appendTo(b *array.RecordBuilder) {
	b.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(f.date.UnixMicro()))
	b.Field(1).(*array.Int64Builder).Append(f.delay)
	b.Field(2).(*array.Int64Builder).Append(f.distance)
	b.Field(3).(*array.StringBuilder).Append(f.origin)
	b.Field(4).(*array.StringBuilder).Append(f.destination)
}

type generator struct {
	rows  int
	rng   *rand.Rand
	codes []string
	zipf  *rand.Zipf
}

func newGenerator(rows int) *generator {
	g := &generator{rows: rows, rng: rand.New(rand.NewPCG(generateSeed, 0))}
	g.zipf = rand.NewZipf(g.rng, 1.4, 9, airports-1)
	for i := range airports {
		n := i*7919 + 1234 // spreads the codes over AAA to ZZZ; 7919 shares no factor with 26^3
		g.codes = append(g.codes, string([]byte{
			'A' + byte(n/676%26), 'A' + byte(n/26%26), 'A' + byte(n%26),
		}))
	}
	return g
}

// flight makes the flight of a row; rows are asked for in ascending order.
func (g *generator) flight(row int) flight {
	span := lastFlight.Sub(firstFlight)
	at := firstFlight.Add(time.Duration(float64(span) * float64(row) / float64(g.rows)))
	from, to := g.zipf.Uint64(), g.zipf.Uint64()
	if from == to {
		to = (to + 1) % airports
	}
	pair := min(from, to)*airports + max(from, to)
	delay := int64(g.rng.NormFloat64()*12) - 3
	if g.rng.IntN(8) == 0 {
		delay += int64(g.rng.ExpFloat64() * 60)
	}
	return flight{
		date: at.Truncate(time.Minute), delay: min(max(delay, delayMin), delayMax),
		distance: distanceMin + int64(pair*2654435761%(distanceMax-distanceMin+1)),
		origin:   g.codes[from], destination: g.codes[to],
	}
}
