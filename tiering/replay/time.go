package replay

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// TimeAnswer is the first record, by offset, at or after a time.
type TimeAnswer struct {
	Offset    kafka.Offset
	Timestamp kafka.Timestamp
	Epoch     kafka.LeaderEpoch
}

// OffsetForTime finds the first sealed record in within whose timestamp is ts or later, whatever
// the order of timestamps; false when there is none. within.Next 0 or less means the sealed end. It
// costs the manifest's search, and for the segment a footer and one chunk or two.
func (r *Reader) OffsetForTime(
	ctx context.Context, m Manifest, ts kafka.Timestamp, within kafka.OffsetRange,
) (TimeAnswer, bool, error) {
	head, err := headOf(ctx, m)
	if err != nil {
		return TimeAnswer{}, false, err
	}
	within.Base = max(within.Base, head.LogStartOffset)
	if end := head.SealedEnd(); within.Next <= 0 || within.Next > end {
		within.Next = end
	}
	for from := within.Base; from < within.Next; {
		e, ok, err := m.FindTimeFrom(ctx, ts, from)
		if err != nil || !ok || e.BaseOffset >= within.Next {
			return TimeAnswer{}, false, err
		}
		found, ok, err := r.timeInSegment(ctx, m, e, ts, within)
		if err != nil || ok {
			return found, ok, err
		}
		from = e.NextOffset // what made it match lies outside of the range
	}
	return TimeAnswer{}, false, nil
}

// timeInSegment searches one segment from where its time index points to.
func (r *Reader) timeInSegment(
	ctx context.Context, m Manifest, e manifest.Entry, ts kafka.Timestamp, within kafka.OffsetRange,
) (TimeAnswer, bool, error) {
	f, err := r.footers.Get(ctx, objectOf(m.TP(), e), e.FooterBytes)
	if err != nil {
		return TimeAnswer{}, false, fmt.Errorf("search %s by time: %w", e.Key(m.TP()), err)
	}
	position, ok := f.LookupTime(ts)
	if !ok {
		return TimeAnswer{}, false, nil
	}
	from, _ := f.LookupAfter(position)
	it, err := r.Open(ctx, m, Options{
		From: max(from, within.Base), To: min(e.NextOffset, within.Next), Parallel: 1,
	})
	if err != nil {
		return TimeAnswer{}, false, err
	}
	defer it.Close()
	for {
		run, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return TimeAnswer{}, false, nil
		}
		if err != nil {
			return TimeAnswer{}, false, err
		}
		found, ok, err := FindTimestamp(run.Bytes, ts, within)
		run.Release()
		if err != nil || ok {
			return found, ok, err
		}
	}
}

// FindTimestamp finds the first record of whole batches in data, with an offset in within, whose
// timestamp is ts or later.
func FindTimestamp(
	data []byte, ts kafka.Timestamp, within kafka.OffsetRange,
) (TimeAnswer, bool, error) {
	for len(data) > 0 {
		b, rest, err := record.Next(data)
		if err != nil {
			return TimeAnswer{}, false, err
		}
		data = rest
		if b.MaxTimestamp() < ts || b.NextOffset() <= within.Base {
			continue
		}
		if b.BaseOffset() >= within.Next {
			break
		}
		found, ok, err := findInBatch(b, ts, within)
		if err != nil || ok {
			return found, ok, err
		}
	}
	return TimeAnswer{}, false, nil
}

func findInBatch(
	b record.Batch, ts kafka.Timestamp, within kafka.OffsetRange,
) (TimeAnswer, bool, error) {
	records := b.Records(record.DefaultLimits())
	defer records.Close()
	for records.Next() {
		rec := records.Record()
		if rec.Timestamp >= ts && within.Contains(rec.Offset) {
			return TimeAnswer{rec.Offset, rec.Timestamp, b.LeaderEpoch()}, true, nil
		}
	}
	return TimeAnswer{}, false, records.Err()
}
