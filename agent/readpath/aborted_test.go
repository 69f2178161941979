package readpath

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/segment"
)

// put appends a batch whatever it is.
func (w *world) put(b record.Batch) {
	w.t.Helper()
	got, err := w.log.Append(b, w.epoch, hotlog.AppendOptions{AppendTime: kafka.NoTimestamp})
	if err != nil {
		w.t.Fatal(err)
	}
	w.data = append(w.data, b...)
	w.next = got.NextOffset
}

// transact appends a batch of a transaction for each of the producers.
func (w *world) transact(epoch int16, seq int32, size int, ids ...kafka.ProducerID) {
	w.t.Helper()
	for _, id := range ids {
		b := record.NewBuilder(record.None)
		b.SetProducer(id, epoch, seq)
		b.Transactional = true
		b.Append(1, nil, make([]byte, size))
		made, err := b.Build()
		if err != nil {
			w.t.Fatal(err)
		}
		w.put(made)
	}
}

// history is transactions of three producers that commit and abort, some over several segments. It gives
// the offsets of what was aborted.
func history(w *world) (aborted map[kafka.Offset]bool) {
	aborted = map[kafka.Offset]bool{}
	rng := rand.New(rand.NewPCG(1, 1))
	open := map[kafka.ProducerID][]kafka.Offset{}
	epoch, seq := map[kafka.ProducerID]int16{}, map[kafka.ProducerID]int32{}
	for range 600 {
		id := kafka.ProducerID(1 + rng.IntN(3))
		if len(open[id]) > 0 && rng.IntN(10*int(id*id)) == 0 {
			m := record.Commit
			if rng.IntN(2) == 0 {
				m = record.Abort
				for _, o := range open[id] {
					aborted[o] = true
				}
			}
			epoch[id]++
			seq[id], open[id] = 0, nil
			w.put(record.NewMarker(m, id, epoch[id], 0, 1))
			continue
		}
		open[id] = append(open[id], w.next)
		w.transact(epoch[id], seq[id], 10_000, id)
		seq[id]++
	}
	for id := range open {
		w.put(record.NewMarker(record.Commit, id, epoch[id]+1, 0, 1))
	}
	return aborted
}

// client leaves out aborted batches of one answer as franz-go does: each marker settles the first of the
// producer's aborted transactions that are left, and each is listed once.
func client(t *testing.T, d Data, aborted []segment.AbortedTxn) (seen []kafka.Offset) {
	t.Helper()
	left := map[kafka.ProducerID][]kafka.Offset{}
	for _, a := range aborted {
		left[a.ProducerID] = append(left[a.ProducerID], a.FirstOffset)
	}
	for _, offsets := range left {
		slices.Sort(offsets)
		if len(slices.Compact(slices.Clone(offsets))) != len(offsets) {
			t.Errorf("an aborted transaction is listed twice: %v", offsets)
		}
	}
	for _, rest := range d.Records {
		for len(rest) > 0 {
			b, more, err := record.Next(rest)
			if err != nil {
				t.Fatal(err)
			}
			rest = more
			first := left[b.ProducerID()]
			switch {
			case b.IsControl():
				if m, _ := kind(b); m == record.Abort && len(first) > 0 {
					left[b.ProducerID()] = first[1:]
				}
			case len(first) == 0 || b.BaseOffset() < first[0]:
				seen = append(seen, b.BaseOffset())
			}
		}
	}
	return seen
}

func kind(b record.Batch) (record.Marker, bool) {
	it := b.Records(record.DefaultLimits())
	defer it.Close()
	it.Next()
	m, _, ok := record.ParseMarker(it.Record())
	return m, ok
}

// Bug: an aborted transaction that spans sealed segments was listed once for each of them, and a client
// that takes every listing for a transaction of its own left out what the producer committed next.
func TestAbortedTransactionsAreListedOnce(t *testing.T) {
	w := newWorld(t)
	aborted := history(w)
	w.seal()
	read := func(bytesMax int) (seen []kafka.Offset) {
		for from := kafka.Offset(0); from < w.next; {
			d, err := w.reader.Fetch(t.Context(), w.source(), Request{
				From: from, Until: w.next, BytesMax: bytesMax, MinOne: true,
			})
			if err != nil || d.Next <= from {
				t.Fatalf("fetch from %d: next %d, %v", from, d.Next, err)
			}
			list := d.Aborted
			if !d.Cold {
				list = w.log.Log.AbortedIn(kafka.OffsetRange{Base: from, Next: d.Next})
			}
			seen = append(seen, client(t, d, list)...)
			from = d.Next
			d.Release()
		}
		return seen
	}
	check := func(what string) {
		for _, bytesMax := range []int{1, 30_000, 400_000, 3 << 20, 50 << 20} {
			seen := map[kafka.Offset]bool{}
			for _, o := range read(bytesMax) {
				seen[o] = true
				if aborted[o] {
					t.Errorf("%s, %d at a time: aborted offset %d is read", what, bytesMax, o)
				}
			}
			for rest := w.data; len(rest) > 0; {
				b, more, err := record.Next(rest)
				if err != nil {
					t.Fatal(err)
				}
				if o := b.BaseOffset(); !b.IsControl() && !aborted[o] && !seen[o] {
					t.Errorf("%s, %d at a time: committed offset %d is not read", what, bytesMax, o)
				}
				rest = more
			}
		}
	}
	check("hot")
	w.set(func(s *settings.Topic) { s.LocalRetentionBytes = 2 << 20 })
	w.until("release", func() bool { return w.log.LocalLogStartOffset() > w.next/3 })
	check("across the seam")
	w.set(func(s *settings.Topic) { s.LocalRetentionBytes = 0 })
	w.until("release", func() bool { return w.log.LocalLogStartOffset() == w.next })
	check("sealed")
}
