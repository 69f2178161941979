package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var tp0 = kafka.TopicPartition{Topic: kafka.TopicID{7}, Partition: 3}

// bucket is a bucket with one sealed partition.
type bucket struct {
	t       *testing.T
	store   *faulty.Store
	m       *catalog.PartitionManifest
	footers *cache.Footers
	data    []byte // all batches, in order
	next    kafka.Offset
	stamp   func(kafka.Offset) kafka.Timestamp
	entries []manifest.Entry
	seq     int
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	b := &bucket{
		t: t, store: faulty.New(mem.New()),
		stamp: func(o kafka.Offset) kafka.Timestamp { return kafka.Timestamp(1000 + 10*o) },
	}
	c, err := catalog.Open(t.Context(), b.store, catalog.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	b.m = c.Partition(tp0)
	b.footers = cache.NewFooters(b.store, cache.DefaultFooterConfig(), nil)
	t.Cleanup(b.footers.Close)
	return b
}

// batch builds one of records records with values of size bytes.
func (b *bucket) batch(records, size int) record.Batch {
	rng := rand.New(rand.NewPCG(uint64(b.next), 1))
	builder := record.NewBuilder(record.None)
	value := make([]byte, size)
	for i := range records {
		for j := range value {
			value[j] = byte(rng.Uint32())
		}
		builder.Append(b.stamp(b.next+kafka.Offset(i)), fmt.Appendf(nil, "k%d", i), value)
	}
	made, err := builder.Build()
	if err != nil {
		b.t.Fatal(err)
	}
	made.SetBaseOffset(b.next)
	made.SetLeaderEpoch(1)
	b.next += kafka.Offset(records)
	return made
}

// seal makes one segment of batches.
func (b *bucket) seal(aborted []segment.AbortedTxn, batches ...record.Batch) manifest.Entry {
	b.t.Helper()
	var data []byte
	for _, one := range batches {
		data = append(data, one...)
	}
	b.data = append(b.data, data...)
	id := segment.ID{
		Topic: tp0.Topic, Partition: tp0.Partition, BaseOffset: batches[0].BaseOffset(), LeaderEpoch: 1,
	}
	sealed, err := segment.Seal(bytes.NewReader(data), int64(len(data)), id, segment.WriteOptions{
		BlockBytes: 4 << 10, IndexIntervalBytes: 4 << 10, Aborted: aborted,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.seq++
	m := sealed.Meta
	e := manifest.Entry{
		BaseOffset: m.BaseOffset, NextOffset: m.NextOffset, LeaderEpoch: 1,
		UID: fmt.Sprintf("u%d", b.seq), Bytes: sealed.Size(), DataBytes: m.DataBytes,
		FooterBytes: sealed.Size() - m.DataBytes, CRC32C: sealed.CRC32C, Records: m.Records,
		Batches: m.Batches, MinTimestamp: m.MinTimestamp, MaxTimestamp: m.MaxTimestamp,
		Format: m.FormatVersion,
	}
	if _, err := b.store.Put(b.t.Context(), e.Key(tp0), objstore.Body{
		Reader: sealed.Body(), Size: sealed.Size(),
	}, objstore.Condition{}); err != nil {
		b.t.Fatal(err)
	}
	b.edit(func(h manifest.Head) (manifest.Head, error) {
		h, err := h.AddSegment(manifest.Segment{Entry: e, Epochs: m.Epochs}, 1)
		if err != nil {
			return h, err
		}
		return h.Verify(e.NextOffset, 1)
	})
	b.entries = append(b.entries, e)
	return e
}

// fill seals segments of batches each of records records of size bytes.
func (b *bucket) fill(segments, batches, records, size int) {
	b.t.Helper()
	for range segments {
		var all []record.Batch
		for range batches {
			all = append(all, b.batch(records, size))
		}
		b.seal(nil, all...)
	}
}

func (b *bucket) edit(fn func(manifest.Head) (manifest.Head, error)) {
	b.t.Helper()
	if _, err := b.m.Edit(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bucket) moveLogStart(to kafka.Offset) {
	b.t.Helper()
	b.edit(func(h manifest.Head) (manifest.Head, error) {
		return h.MoveLogStart(to, 1, time.Now())
	})
}

// damage flips a bit of an object.
func (b *bucket) damage(e manifest.Entry, at int64) {
	b.t.Helper()
	data, _, err := objstore.ReadAll(b.t.Context(), b.store, e.Key(tp0), e.Bytes)
	if err != nil {
		b.t.Fatal(err)
	}
	data[at] ^= 0x10
	if _, err := b.store.Put(b.t.Context(), e.Key(tp0), objstore.Bytes(data),
		objstore.Condition{}); err != nil {
		b.t.Fatal(err)
	}
}

func smallConfig() Config {
	return Config{ChunkBytes: chunkBytesMin, Parallel: 3, SpareChunks: 10}
}

func (b *bucket) reader(cfg Config) *Reader {
	b.t.Helper()
	r, err := New(b.store, b.footers, cfg, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// readAll reads an iterator to its end.
func readAll(ctx context.Context, t *testing.T, it *Iterator) ([]byte, error) {
	t.Helper()
	var all []byte
	for {
		run, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if run.Offsets.Next != it.Position() {
			t.Errorf("run settles %s, position is %d", run.Offsets, it.Position())
		}
		all = append(all, run.Bytes...)
		run.Release()
	}
}

// span is the bytes of the batches that hold offsets in [from, to).
func (b *bucket) span(from, to kafka.Offset) []byte {
	var out []byte
	for rest := b.data; len(rest) > 0; {
		batch, next, err := record.Next(rest)
		if err != nil {
			b.t.Fatal(err)
		}
		if batch.NextOffset() > from && batch.BaseOffset() < to {
			out = append(out, batch...)
		}
		rest = next
	}
	return out
}
