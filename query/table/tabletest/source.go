package tabletest

import (
	"context"
	"io"
	"iter"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query/table"
)

// Source holds topics in memory.
type Source struct {
	topics map[string]*topic
	ids    map[kafka.TopicID]*topic
	gets   atomic.Int64
	bytes  atomic.Int64
	// Fail, when set, is asked before each read of a segment.
	Fail func(tp kafka.TopicPartition, base kafka.Offset) error
}

var _ table.Source = (*Source)(nil)

type topic struct {
	table.Topic
	partitions [][]segment
}

type segment struct {
	table.Segment
	batches []record.Batch
}

// New is a source without topics.
func New() *Source {
	return &Source{topics: make(map[string]*topic), ids: make(map[kafka.TopicID]*topic)}
}

// AddTopic adds an empty topic.
func (s *Source) AddTopic(name string, partitions int32, f table.ValueFormat) {
	t := &topic{partitions: make([][]segment, partitions)}
	t.Topic = table.Topic{Name: name, Partitions: partitions, ValueFormat: f}
	t.ID[0] = byte(len(s.topics) + 1)
	s.topics[name], s.ids[t.ID] = t, t
}

// AddSegment appends batches to a partition as one segment; their base offsets are set.
func (s *Source) AddSegment(name string, partition int32, batches ...record.Batch) {
	t := s.topics[name]
	next := kafka.Offset(0)
	if have := t.partitions[partition]; len(have) > 0 {
		next = have[len(have)-1].Offsets.Next
	}
	seg := segment{batches: batches}
	seg.Segment = table.Segment{
		Offsets:      kafka.OffsetRange{Base: next},
		MinTimestamp: kafka.NoTimestamp, MaxTimestamp: kafka.NoTimestamp, Count: 1,
	}
	for _, b := range batches {
		b.SetBaseOffset(next)
		next = b.NextOffset()
		seg.Bytes += int64(b.Size())
		seg.addTimes(b)
	}
	seg.Offsets.Next = next
	t.partitions[partition] = append(t.partitions[partition], seg)
}

func (s *segment) addTimes(b record.Batch) {
	if b.IsControl() {
		return
	}
	s.Records += int64(b.Count())
	it := b.Records(record.DefaultLimits())
	defer it.Close()
	for it.Next() {
		ts := it.Record().Timestamp
		if ts == kafka.NoTimestamp {
			continue
		}
		if s.MinTimestamp == kafka.NoTimestamp || ts < s.MinTimestamp {
			s.MinTimestamp = ts
		}
		s.MaxTimestamp = max(s.MaxTimestamp, ts)
	}
}

// Topics implements table.Source.
func (s *Source) Topics(context.Context) ([]string, error) {
	return slices.Sorted(maps.Keys(s.topics)), nil
}

// Topic implements table.Source.
func (s *Source) Topic(_ context.Context, name string) (table.Topic, error) {
	if t, ok := s.topics[name]; ok {
		return t.Topic, nil
	}
	return table.Topic{}, table.ErrUnknownTopic
}

// Segments implements table.Source.
func (s *Source) Segments(ctx context.Context, tp kafka.TopicPartition, _ table.Bounds,
) iter.Seq2[table.Segment, error] {
	return func(yield func(table.Segment, error) bool) {
		for _, seg := range s.ids[tp.Topic].partitions[tp.Partition] {
			if !yield(seg.Segment, ctx.Err()) {
				return
			}
		}
	}
}

// Batches implements table.Source.
func (s *Source) Batches(_ context.Context, tp kafka.TopicPartition, r kafka.OffsetRange,
) (table.BatchReader, error) {
	return &reader{s: s, tp: tp, r: r, segments: s.ids[tp.Topic].partitions[tp.Partition]}, nil
}

// Traffic counts a GET for each segment that was read.
func (s *Source) Traffic() table.Traffic {
	return table.Traffic{GETs: s.gets.Load(), GETBytes: s.bytes.Load()}
}

type reader struct {
	s        *Source
	tp       kafka.TopicPartition
	r        kafka.OffsetRange
	segments []segment
	batches  []record.Batch
}

// Next implements table.BatchReader.
func (r *reader) Next(ctx context.Context) (record.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(r.batches) > 0 {
			b := r.batches[0]
			r.batches = r.batches[1:]
			if b.NextOffset() <= r.r.Base || b.BaseOffset() >= r.r.Next {
				continue
			}
			return b, nil
		}
		if len(r.segments) == 0 || r.segments[0].Offsets.Base >= r.r.Next {
			return nil, io.EOF
		}
		seg := r.segments[0]
		r.segments = r.segments[1:]
		if seg.Offsets.Next <= r.r.Base {
			continue
		}
		if r.s.Fail != nil {
			if err := r.s.Fail(r.tp, seg.Offsets.Base); err != nil {
				return nil, err
			}
		}
		r.s.gets.Add(1)
		r.s.bytes.Add(seg.Bytes)
		r.batches = seg.batches
	}
}

// Close implements table.BatchReader.
func (r *reader) Close() error { return nil }
