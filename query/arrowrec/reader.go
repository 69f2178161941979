package arrowrec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query/table"
)

// Defaults of Options.
const (
	// RowsMax bounds the rows of one Arrow record batch.
	RowsMax = 8192
	// DataBytesMax bounds the keys, values and headers held at once, one record beyond.
	DataBytesMax = 8 << 20
)

// Options says what a Reader decodes.
type Options struct {
	// Columns is what to decode; 0 is AllColumns.
	Columns Set
	// Format is the topic's varve.value.format.
	Format table.ValueFormat
	// Offsets leaves out the records outside of it; the zero value leaves out none.
	Offsets kafka.OffsetRange
	// Times leaves out the records whose timestamp is not within [From, To); a bound of 0 is none.
	Times TimeRange
	// Limits bounds the inflating of a batch; the zero value is record.DefaultLimits.
	Limits record.Limits
}

// TimeRange is half-open: [From, To). A bound of 0 is none.
type TimeRange struct{ From, To kafka.Timestamp }

// Reader decodes the batches of one partition into columns.
type Reader struct {
	partition int32
	batches   table.BatchReader
	o         Options
	timed     bool            // Times leaves some out
	walk      Set             // columns for which a batch with create times must be walked
	batch     record.Batch    // the batch in hand, or nil
	records   record.Iterator // over the batch in hand, unless it is dense
	dense     bool            // the header of the batch in hand tells all that is wanted
	offset    kafka.Offset    // next offset of a dense batch
	rows      Rows            // the previous result of Next, for its sizes
}

// NewReader reads what batches yields. Closing the reader closes batches.
func NewReader(partition int32, batches table.BatchReader, o Options) *Reader {
	if o.Columns == 0 {
		o.Columns = AllColumns
	}
	if o.Offsets == (kafka.OffsetRange{}) {
		o.Offsets.Next = math.MaxInt64
	}
	if o.Times.To == 0 {
		o.Times.To = math.MaxInt64
	}
	if o.Limits == (record.Limits{}) {
		o.Limits = record.DefaultLimits()
	}
	r := &Reader{partition: partition, batches: batches, o: o, walk: o.Columns & perRecord}
	r.timed = o.Times != TimeRange{To: math.MaxInt64}
	if o.Times != (TimeRange{To: math.MaxInt64}) {
		r.walk |= Of(Timestamp)
	}
	return r
}

// Fill replaces rows by the next 1 to rowsMax rows, or returns io.EOF when there are none left. The
// error names the partition and the batch.
func (r *Reader) Fill(ctx context.Context, rows *Rows, rowsMax int) error {
	rows.reset()
	for rows.Len < rowsMax && rows.dataBytes() < DataBytesMax {
		if r.batch == nil {
			if err := r.nextBatch(ctx); err != nil {
				if errors.Is(err, io.EOF) && rows.Len > 0 {
					return nil
				}
				return err
			}
		}
		more, err := r.drain(rows, rowsMax)
		if err != nil {
			return fmt.Errorf("partition %d, batch at offset %d: %w",
				r.partition, r.batch.BaseOffset(), err)
		}
		if !more {
			r.dropBatch()
		}
	}
	return nil
}

// nextBatch takes the next batch that may hold wanted records in hand.
func (r *Reader) nextBatch(ctx context.Context) error {
	for {
		b, err := r.batches.Next(ctx)
		if err != nil {
			return err
		}
		if b.BaseOffset() >= r.o.Offsets.Next {
			return io.EOF
		}
		if b.IsControl() || b.LastOffset() < r.o.Offsets.Base || b.Count() == 0 {
			continue
		}
		r.batch = b
		if r.mustWalk(b) {
			r.records.Reset(b, r.o.Limits)
			r.dense = false
		} else {
			r.dense = true
			r.offset = max(b.BaseOffset(), r.o.Offsets.Base)
		}
		return nil
	}
}

// mustWalk reports whether the header does not tell all that is wanted. A batch that compaction
// thinned out has gaps that only its records show.
func (r *Reader) mustWalk(b record.Batch) bool {
	if b.Count() != b.LastOffsetDelta()+1 {
		return true
	}
	if b.TimestampType() == record.LogAppendTime {
		return r.walk&^Of(Timestamp) != 0
	}
	return r.walk != 0
}

func (r *Reader) dropBatch() {
	if r.batch != nil && !r.dense {
		r.records.Close()
	}
	r.batch = nil
}

// drain appends rows of the batch in hand; more says that it is not exhausted.
func (r *Reader) drain(rows *Rows, rowsMax int) (more bool, err error) {
	if r.dense {
		return r.drainDense(rows, rowsMax), nil
	}
	for rows.Len < rowsMax && rows.dataBytes() < DataBytesMax {
		if !r.records.Next() {
			return false, r.records.Err()
		}
		rec := r.records.Record()
		if rec.Offset >= r.o.Offsets.Next {
			return false, nil
		}
		if rec.Offset >= r.o.Offsets.Base && r.wantsTime(rec.Timestamp) {
			r.add(rows, &rec)
		}
	}
	return true, nil
}

func (r *Reader) wantsTime(t kafka.Timestamp) bool {
	return !r.timed || r.o.Times.From <= t && t < r.o.Times.To
}

// drainDense makes rows from the batch's header alone.
func (r *Reader) drainDense(rows *Rows, rowsMax int) (more bool) {
	end := min(r.batch.NextOffset(), r.o.Offsets.Next)
	rec := record.Record{Timestamp: r.batch.MaxTimestamp()}
	if !r.wantsTime(rec.Timestamp) {
		return false
	}
	for rows.Len < rowsMax && r.offset < end {
		rec.Offset = r.offset
		r.add(rows, &rec)
		r.offset++
	}
	return r.offset < end
}

// add appends one record to the wanted columns.
func (r *Reader) add(rows *Rows, rec *record.Record) {
	rows.Len++
	columns := r.o.Columns
	if columns.Has(Partition) {
		rows.Partitions = append(rows.Partitions, r.partition)
	}
	if columns.Has(Offset) {
		rows.Offsets = append(rows.Offsets, int64(rec.Offset))
	}
	if columns.Has(Timestamp) {
		rows.Timestamps = append(rows.Timestamps, int64(rec.Timestamp))
		rows.TimestampValid.add(rec.Timestamp != kafka.NoTimestamp)
	}
	if columns.Has(Key) {
		rows.Keys.add(rec.Key)
	}
	if columns.Has(Value) {
		if r.o.Format == table.Raw {
			rows.Values.add(rec.Value)
		} else {
			rows.Values.addText(rec.Value)
		}
	}
	if columns.Has(Headers) {
		rows.addHeaders(rec.Headers)
	}
	if columns&Of(LeaderEpoch, ProducerID, ProducerEpoch) != 0 {
		r.addOrigin(rows)
	}
}

func (r *Reader) addOrigin(rows *Rows) {
	rows.LeaderEpochs = append(rows.LeaderEpochs, int32(r.batch.LeaderEpoch()))
	id := r.batch.ProducerID()
	rows.ProducerIDs = append(rows.ProducerIDs, int64(id))
	rows.ProducerEpochs = append(rows.ProducerEpochs, r.batch.ProducerEpoch())
	rows.ProducerValid.add(id != kafka.NoProducerID)
}

// Close closes the batches below. It may be called more than once.
func (r *Reader) Close() error {
	r.dropBatch()
	return r.batches.Close()
}
