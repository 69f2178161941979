package bucket

import (
	"context"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query/table"
	"github.com/varve-log/varve/tiering/replay"
)

// Batches implements table.Source.
func (s *Source) Batches(_ context.Context, tp kafka.TopicPartition, r kafka.OffsetRange,
) (table.BatchReader, error) {
	return &batches{s: s, tp: tp, offsets: r, isolation: s.isolation}, nil
}

// NewBatchReader gives the batches of an iterator as a consumer with an isolation sees them. Closing
// it closes the iterator.
func NewBatchReader(it *replay.Iterator, i replay.Isolation) table.BatchReader {
	return &batches{it: it, isolation: i}
}

// batches walks the runs of an iterator, which is opened by the first Next unless it was given.
type batches struct {
	s         *Source
	tp        kafka.TopicPartition
	offsets   kafka.OffsetRange
	isolation replay.Isolation
	it        *replay.Iterator
	run       *replay.Run
	ahead     []record.Batch // of run
}

// Next implements table.BatchReader.
func (b *batches) Next(ctx context.Context) (record.Batch, error) {
	if b.it == nil {
		if err := b.open(ctx); err != nil {
			return nil, err
		}
	}
	for len(b.ahead) == 0 {
		b.release()
		run, err := b.it.Next(ctx)
		if err != nil {
			return nil, err
		}
		b.run = run
		for batch := range run.Visible(b.isolation) {
			b.ahead = append(b.ahead, batch)
		}
	}
	batch := b.ahead[0]
	b.ahead = b.ahead[1:]
	return batch, nil
}

func (b *batches) open(ctx context.Context) error {
	p, _, err := b.s.partition(ctx, b.tp)
	if err != nil {
		return err
	}
	b.it, err = b.s.replay.Open(ctx, p, replay.Options{From: b.offsets.Base, To: b.offsets.Next})
	return err
}

func (b *batches) release() {
	if b.run != nil {
		b.run.Release()
	}
	b.run, b.ahead = nil, nil
}

// Close implements table.BatchReader.
func (b *batches) Close() error {
	b.release()
	if b.it != nil {
		b.it.Close()
	}
	return nil
}
