package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/open"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
)

// archive seals 1 GiB into the store that VARVE_BENCH_STORE names, or into memory.
func archive(b *testing.B) (objstore.Store, *catalog.PartitionManifest) {
	b.Helper()
	url := os.Getenv("VARVE_BENCH_STORE")
	if url == "" {
		b.Skip("set VARVE_BENCH_STORE to a store URL with room for 1 GiB")
	}
	store, err := open.Open(b.Context(), url, open.Options{})
	if err != nil {
		b.Fatal(err)
	}
	c, err := catalog.Open(b.Context(), store, catalog.Options{Create: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close(); _ = store.Close() })
	m := c.Partition(tp0)
	if h, err := m.Load(b.Context()); err != nil || h.SealedEnd() > 0 {
		return store, m
	}
	next := kafka.Offset(0)
	for s := range 8 {
		e, sealed := bigSegment(b, s, &next)
		if _, err := store.Put(b.Context(), e.Key(tp0), objstore.Body{
			Reader: sealed.Body(), Size: sealed.Size(),
		}, objstore.Condition{}); err != nil {
			b.Fatal(err)
		}
		if _, err := m.Edit(b.Context(), func(h manifest.Head) (manifest.Head, error) {
			return h.AddSegment(manifest.Segment{Entry: e, Epochs: sealed.Meta.Epochs}, 1)
		}); err != nil {
			b.Fatal(err)
		}
	}
	return store, m
}

// bigSegment is 128 MiB of 64 KiB batches of 1 KiB records.
func bigSegment(b *testing.B, n int, next *kafka.Offset) (manifest.Entry, *segment.Sealed) {
	b.Helper()
	builder := record.NewBuilder(record.None)
	for range 64 {
		builder.Append(1, nil, make([]byte, 1000))
	}
	one, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	one.SetLeaderEpoch(1)
	base := *next
	data := make(repeated, 0, 128<<20)
	for len(data) < 128<<20 {
		one.SetBaseOffset(*next)
		data = append(data, one...)
		*next += 64
	}
	sealed, err := segment.Seal(data, int64(len(data)), segment.ID{
		Topic: tp0.Topic, Partition: tp0.Partition, BaseOffset: base, LeaderEpoch: 1,
	}, segment.WriteOptions{})
	if err != nil {
		b.Fatal(err)
	}
	m := sealed.Meta
	return manifest.Entry{
		BaseOffset: m.BaseOffset, NextOffset: m.NextOffset, LeaderEpoch: 1, UID: fmt.Sprintf("b%d", n),
		Bytes: sealed.Size(), DataBytes: m.DataBytes, FooterBytes: sealed.Size() - m.DataBytes,
		Records: m.Records, MinTimestamp: m.MinTimestamp, MaxTimestamp: m.MaxTimestamp, Format: 1,
	}, sealed
}

// repeated is data in memory as an io.ReaderAt.
type repeated []byte

// ReadAt implements io.ReaderAt.
func (r repeated) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(r)) {
		return 0, io.EOF
	}
	n := copy(p, r[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// BenchmarkBareGets gets all data by parallel ranged GETs of 8 MiB and does nothing with it: what
// BenchmarkReplay is measured against.
func BenchmarkBareGets(b *testing.B) {
	store, m := archive(b)
	direct := cache.Direct{Store: store}
	type part struct {
		o  cache.Object
		at int64
		n  int
	}
	for b.Loop() {
		parts := make(chan part)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				buf := make([]byte, 8<<20)
				for p := range parts {
					if err := direct.ReadRange(b.Context(), p.o, buf[:p.n], p.at); err != nil {
						b.Error(err)
					}
				}
			})
		}
		total := int64(0)
		for e, err := range m.Entries(b.Context(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			total += e.DataBytes
			for at := int64(0); at < e.DataBytes; at += 8 << 20 {
				parts <- part{objectOf(tp0, e), at, int(min(8<<20, e.DataBytes-at))}
			}
		}
		close(parts)
		wg.Wait()
		b.SetBytes(total)
	}
}

// BenchmarkReplay walks every batch of the same data.
func BenchmarkReplay(b *testing.B) {
	store, m := archive(b)
	footers := cache.NewFooters(store, cache.DefaultFooterConfig(), nil)
	defer footers.Close()
	r, err := New(store, footers, DefaultConfig(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		total, err := walk(b.Context(), r, m)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(total)
	}
}

func walk(ctx context.Context, r *Reader, m Manifest) (total int64, err error) {
	it, err := r.Open(ctx, m, Options{})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for {
		run, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		for batch := range run.Batches() {
			total += int64(batch.Size())
		}
		run.Release()
	}
}
