package main

import (
	"context"
	"fmt"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/internal/objstore/metered"
	"github.com/varve-log/varve/kafka"
)

// manySegments is how many the manifest has in which one is searched.
const manySegments = 100_000

// segmentsPerEdit is how many are added at a time: as many as the head's tail takes.
const segmentsPerEdit = 60

// Each made-up segment has so many records, as far apart in time.
const (
	segmentRecords = 10
	recordMillis   = 10
)

// findingRequests gives the most GETs that opening a partition and finding a segment by time took.
func findingRequests(ctx context.Context) (open, byTime int64, err error) {
	store := metered.New(mem.New(), metered.NewMetrics(nil))
	c, err := catalog.Open(ctx, store, catalog.Options{Create: true})
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = c.Close() }()
	tp := kafka.TopicPartition{Topic: catalog.NewTopicID()}
	for from := 0; from < manySegments; from += segmentsPerEdit {
		if err := addSegments(ctx, c.Partition(tp), from); err != nil {
			return 0, 0, fmt.Errorf("make a manifest of %d segments: %w", manySegments, err)
		}
	}
	for i := 1; i < manySegments; i = i*3 + 1 {
		r, err := catalog.OpenReader(ctx, store)
		if err != nil {
			return 0, 0, err
		}
		p := r.Partition(tp)
		start := store.Counts()
		if _, err := p.Load(ctx); err != nil {
			return 0, 0, err
		}
		loaded := store.Counts()
		e, ok, err := p.FindTime(ctx, timeOf(i))
		if err != nil || !ok || e.BaseOffset != kafka.Offset(i*segmentRecords) {
			return 0, 0, fmt.Errorf("find segment %d by time: found %d (%v): %w", i, e.BaseOffset, ok, err)
		}
		open = max(open, loaded.Sub(start).Get)
		byTime = max(byTime, store.Counts().Sub(start).Get)
	}
	return open, byTime, nil
}

// timeOf is the timestamp of a segment's first record.
func timeOf(segment int) kafka.Timestamp {
	return kafka.Timestamp(segment * segmentRecords * recordMillis)
}

// addSegments commits the next segments of a manifest. There are no objects behind them.
func addSegments(ctx context.Context, p *catalog.PartitionManifest, from int) error {
	to := min(from+segmentsPerEdit, manySegments)
	_, err := p.Edit(ctx, func(h manifest.Head) (manifest.Head, error) {
		for i := from; i < to; i++ {
			var err error
			h, err = h.AddSegment(manifest.Segment{Entry: manifest.Entry{
				BaseOffset: kafka.Offset(i * segmentRecords),
				NextOffset: kafka.Offset((i + 1) * segmentRecords),
				UID:        fmt.Sprintf("%024d", i), Bytes: 2, DataBytes: 1, FooterBytes: 1,
				Records: segmentRecords, Format: 1,
				MinTimestamp: timeOf(i), MaxTimestamp: timeOf(i+1) - recordMillis,
			}}, 0)
			if err != nil {
				return h, err
			}
		}
		return h.Verify(kafka.Offset(to*segmentRecords), 0)
	})
	return err
}
