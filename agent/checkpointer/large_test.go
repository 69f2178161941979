package checkpointer

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// bigBatch is n records of 1 KiB with keys from a number on.
func bigBatch(t testing.TB, from, n int) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	value := bytes.Repeat([]byte("x"), 1000)
	for i := range n {
		b.Append(1, fmt.Appendf(nil, "key-%09d", from+i), value)
	}
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// TestLargeLogsAreSavedBesideTheRounds saves logs of several parts and objects, and then what little
// changes of them.
func TestLargeLogsAreSavedBesideTheRounds(t *testing.T) {
	t.Parallel()
	store := faulty.New(mem.New())
	w := newWorldOf(t, rand.New(rand.NewPCG(9, 9)), store, 3)
	cfg := logConfig()
	cfg.SegmentBytes = 8 << 20
	const batches, perBatch = 70, 1000
	for _, l := range w.logs[:2] {
		if err := l.SetConfig(cfg); err != nil {
			t.Fatal(err)
		}
		for i := range batches {
			w.append(l, bigBatch(t, i*perBatch, perBatch))
		}
	}
	w.append(w.logs[2], oneRecord(t, "key", "value"))
	if err := w.saver.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, _ := w.cat.Ledger(checkpoint.Ref{Agent: 1}).Known()
	for _, l := range w.logs[:2] {
		e, _ := v.Entry(l.tp)
		if len(e.Parts) != 3 || e.EndOffset() != batches*perBatch || e.Records() != batches*perBatch {
			t.Fatalf("%d parts up to %d with %d records", len(e.Parts), e.EndOffset(), e.Records())
		}
		for _, p := range e.Parts {
			if p.SourceBytes > checkpoint.PartSourceMax {
				t.Fatalf("a part of %d bytes of log", p.SourceBytes)
			}
		}
	}
	before := putBytes(v)
	w.append(w.logs[0], oneRecord(t, "key-000000001", "changed"))
	if err := w.saver.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, _ = w.cat.Ledger(checkpoint.Ref{Agent: 1}).Known()
	if grown := putBytes(v) - before; grown > 4096 {
		t.Fatalf("one record costs %d bytes", grown)
	}
	h, _ := w.cat.Partition(w.logs[0].tp).Head()
	s, _, err := w.saver.Find(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	restored := map[string]string{}
	_, err = w.saver.Restore(t.Context(), s, func(b []byte) error {
		for rest := b; len(rest) > 0; {
			batch, after, err := record.Next(rest)
			if err != nil {
				return err
			}
			fold(t, batch, 0, restored)
			rest = after
		}
		return nil
	})
	if err != nil || len(restored) != batches*perBatch || restored["key-000000001"] != "changed" {
		t.Fatalf("%d keys, %v", len(restored), err)
	}
}

func putBytes(l checkpoint.Ledger) (n int64) {
	for _, o := range l.Objects {
		n += o.Bytes
	}
	return n
}

// TestCheckpointOfADeletedTopicIsSwept deletes the topic under its checkpoint.
func TestCheckpointOfADeletedTopicIsSwept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, mem.New())
	w.append(w.logs[0], oneRecord(t, "key", "value"))
	if err := w.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := w.cat.Commit(t.Context(), cluster.DeleteTopic{
		ID: w.topic.ID, At: kafka.TimestampOf(time.Now()),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.checkBucket()
	v, _, err := w.cat.Ledger(checkpoint.Ref{Agent: 1}).Load(t.Context())
	if err != nil || len(v.Entries) != 0 || len(v.Objects) != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
}

// BenchmarkBuild compacts 32 MiB of 1 KiB records, half of whose keys come twice, into one part.
func BenchmarkBuild(b *testing.B) {
	w := newWorldOf(b, rand.New(rand.NewPCG(9, 9)), mem.New(), 1)
	l := w.logs[0]
	cfg := logConfig()
	cfg.SegmentBytes = 64 << 20
	if err := l.SetConfig(cfg); err != nil {
		b.Fatal(err)
	}
	for i := range 31 * 64 {
		batch := bigBatch(b, i%1024*16, 16)
		if _, err := l.Append(batch, l.epoch, noTime); err != nil {
			b.Fatal(err)
		}
	}
	j := job{log: l, whole: true, stable: l.Stable()}
	b.SetBytes(l.SizeBytes())
	for b.Loop() {
		err := newBuilder(w.saver.cfg, w.now).build(j, func(piece) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}
