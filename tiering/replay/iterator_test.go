package replay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

func TestIteratorGivesTheSealedBytesAcrossSegments(t *testing.T) {
	b := newBucket(t)
	b.fill(3, 5, 4, 300)   // one GET each
	b.fill(2, 40, 3, 3000) // several chunks
	// A batch over several chunks, and one that is larger than the headroom.
	b.seal(nil, b.batch(1, 10), b.batch(1, 3*chunkBytesMin), b.batch(2, 20))
	b.seal(nil, b.batch(1, 2*headroomBytes), b.batch(1, 5))
	r := b.reader(smallConfig())
	it, err := r.Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	got, err := readAll(t.Context(), t, it)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.data) {
		t.Fatalf("read %d bytes that differ from the %d sealed", len(got), len(b.data))
	}
	if it.Position() != b.next {
		t.Errorf("position %d, want %d", it.Position(), b.next)
	}
}

func TestIteratorHonoursRangesAndLogStart(t *testing.T) {
	b := newBucket(t)
	b.fill(4, 30, 3, 1500)
	b.moveLogStart(100)
	r := b.reader(smallConfig())
	rng := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		from := kafka.Offset(rng.IntN(int(b.next)))
		to := from + kafka.Offset(rng.IntN(int(b.next)))
		it, err := r.Open(t.Context(), b.m, Options{From: from, To: max(to, 1)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(t.Context(), t, it)
		if err != nil {
			t.Fatal(err)
		}
		it.Close()
		var want []byte
		if from = max(from, 100); from < to {
			want = b.span(from, to)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("[%d,%d): %d bytes, want %d", from, to, len(got), len(want))
		}
	}
}

func TestIteratorNamesWhatIsCorruptAndSkipsItOnRequest(t *testing.T) {
	b := newBucket(t)
	b.fill(3, 40, 3, 3000)
	bad := b.entries[1]
	b.damage(bad, 200_000)
	r := b.reader(smallConfig())
	it, err := r.Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(t.Context(), t, it)
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || !errors.Is(err, ErrCorrupt) ||
		!errors.Is(err, segment.ErrCorrupt) {
		t.Fatalf("got %v", err)
	}
	if corrupt.Object != bad.Key(tp0) || corrupt.Position > 200_000 || corrupt.Position < 190_000 {
		t.Errorf("got %+v", corrupt)
	}
	if !bytes.HasPrefix(b.data, got) || it.Position() != corrupt.Offsets.Base {
		t.Errorf("what came before is not given up to %d", corrupt.Offsets.Base)
	}
	it.Close()

	it, err = r.Open(t.Context(), b.m, Options{SkipCorrupt: true})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	got, err = readAll(t.Context(), t, it)
	if err != nil {
		t.Fatal(err)
	}
	skipped := it.Skipped()
	if len(skipped) != 1 || skipped[0].Object != bad.Key(tp0) {
		t.Fatalf("skipped %+v", skipped)
	}
	lost := skipped[0].Offsets
	if n := lost.Next - lost.Base; n < 1 || n > 9 {
		t.Errorf("lost %s of a segment of %s", lost, bad.Range())
	}
	want := slices.Concat(b.span(0, lost.Base), b.span(lost.Next, b.next))
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes around %s, want %d", len(got), lost, len(want))
	}
}

func TestIteratorSkipsASegmentWhoseFooterIsCorrupt(t *testing.T) {
	for _, size := range []int{100, 3000} { // one GET, and several
		b := newBucket(t)
		b.fill(3, 40, 3, size)
		b.damage(b.entries[1], b.entries[1].Bytes-20)
		it, err := b.reader(smallConfig()).Open(t.Context(), b.m, Options{SkipCorrupt: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(t.Context(), t, it)
		it.Close()
		if err != nil {
			t.Fatal(err)
		}
		if s := it.Skipped(); len(s) != 1 || s[0].Offsets != b.entries[1].Range() {
			t.Errorf("skipped %+v", s)
		}
		if want := slices.Concat(b.span(0, 120), b.span(240, 360)); !bytes.Equal(got, want) {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
	}
}

func TestIteratorNamesWhatIsMissing(t *testing.T) {
	b := newBucket(t)
	b.fill(3, 10, 3, 3000)
	gone := b.entries[1]
	if err := b.store.Delete(t.Context(), gone.Key(tp0)); err != nil {
		t.Fatal(err)
	}
	r := b.reader(smallConfig())
	it, err := r.Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = readAll(t.Context(), t, it)
	it.Close()
	var missing *MissingError
	if !errors.As(err, &missing) || missing.Object != gone.Key(tp0) || !errors.Is(err, ErrMissing) {
		t.Fatalf("got %v", err)
	}
	it, err = r.Open(t.Context(), b.m, Options{SkipCorrupt: true})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if _, err := readAll(t.Context(), t, it); err != nil {
		t.Fatal(err)
	}
	if s := it.Skipped(); len(s) != 1 || s[0].Offsets != gone.Range() {
		t.Errorf("skipped %+v", s)
	}
}

func TestIteratorFollowsRetentionThatOvertakesIt(t *testing.T) {
	b := newBucket(t)
	b.fill(8, 30, 3, 1000)
	r := b.reader(Config{ChunkBytes: chunkBytesMin, Parallel: 1})
	it, err := r.Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	run, err := it.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := bytes.Clone(run.Bytes)
	run.Release()
	b.moveLogStart(b.entries[6].BaseOffset)
	for _, e := range b.entries[:6] {
		if err := b.store.Delete(t.Context(), e.Key(tp0)); err != nil {
			t.Fatal(err)
		}
	}
	rest, err := readAll(t.Context(), t, it)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b.data, got) || !bytes.HasSuffix(rest, b.span(540, b.next)) {
		t.Error("the iterator did not go on at the new log start offset")
	}
	if len(it.Skipped()) != 0 {
		t.Errorf("what expired was counted as lost: %+v", it.Skipped())
	}
}

func TestIteratorGoesOnAfterItsCallersContextAndStoreErrors(t *testing.T) {
	b := newBucket(t)
	b.fill(4, 30, 3, 3000)
	it, err := b.reader(smallConfig()).Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	var got []byte
	failures := 0
	b.store.Add(faulty.Rule{
		Op: faulty.Get, Prefix: "segments/", Nth: 4, Times: 9, Fault: faulty.Unavailable,
	})
	for {
		if run, err := it.Next(cancelled); err == nil { // may or may not be ready
			got = append(got, run.Bytes...)
			run.Release()
		}
		run, err := it.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			failures++
			continue
		}
		got = append(got, run.Bytes...)
		run.Release()
	}
	if !bytes.Equal(got, b.data) {
		t.Errorf("%d bytes, want %d", len(got), len(b.data))
	}
	t.Logf("%d failures on the way", failures)
}

// A bit that flipped on the way in a footer, not in a block, ended the read: whichever of the GETs meets
// the flip, the bytes are read again.
func TestIteratorTransientBitFlipsAreReadAgain(t *testing.T) {
	for nth := 1; nth <= 8; nth++ {
		b := newBucket(t)
		b.fill(2, 40, 3, 3000)
		b.store.Add(faulty.Rule{Op: faulty.Get, Prefix: "segments/", Nth: nth, Fault: faulty.Corrupt})
		it, err := b.reader(smallConfig()).Open(t.Context(), b.m, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(t.Context(), t, it)
		if err != nil || !bytes.Equal(got, b.data) {
			t.Errorf("flip in GET %d: %d bytes of %d, %v", nth, len(got), len(b.data), err)
		}
		it.Close()
	}
}

func TestRunsOutliveTheIterator(t *testing.T) {
	b := newBucket(t)
	b.fill(2, 40, 3, 3000)
	it, err := b.reader(smallConfig()).Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var runs []*Run
	for range 3 {
		run, err := it.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	it.Close()
	if _, err := it.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	at := 0
	for _, run := range runs {
		if !bytes.Equal(run.Bytes, b.data[at:at+len(run.Bytes)]) {
			t.Error("a run changed after Close")
		}
		at += len(run.Bytes)
		run.Release()
	}
}

func TestMemoryIsBoundedAndReused(t *testing.T) {
	b := newBucket(t)
	b.fill(10, 40, 3, 1500)
	cfg := smallConfig()
	r := b.reader(cfg)
	it, err := r.Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	if _, err := readAll(t.Context(), t, it); err != nil {
		t.Fatal(err)
	}
	if n := r.pool.made.Load(); n > int64(2*cfg.Parallel+2) {
		t.Errorf("%d chunks were made for %d at once", n, cfg.Parallel)
	}
}

func TestCommittedLeavesOutAbortedAndControlBatches(t *testing.T) {
	b := newBucket(t)
	txn := func(id kafka.ProducerID) record.Batch {
		builder := record.NewBuilder(record.None)
		builder.Transactional = true
		builder.SetProducer(id, 0, 0)
		builder.Append(1, nil, []byte("v"))
		made, err := builder.Build()
		if err != nil {
			t.Fatal(err)
		}
		made.SetBaseOffset(b.next)
		made.SetLeaderEpoch(1)
		b.next++
		return made
	}
	marker := func(id kafka.ProducerID, m record.Marker) record.Batch {
		made := record.NewMarker(m, id, 0, 0, 1)
		made.SetBaseOffset(b.next)
		made.SetLeaderEpoch(1)
		b.next++
		return made
	}
	plain := b.batch(1, 5) // 0
	good := txn(1)         // 1
	bad := txn(2)          // 2
	b.seal([]segment.AbortedTxn{{ProducerID: 2, FirstOffset: 2, LastOffset: 3}},
		plain, good, bad, marker(2, record.Abort), marker(1, record.Commit), txn(2))
	it, err := b.reader(smallConfig()).Open(t.Context(), b.m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	run, err := it.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer run.Release()
	for isolation, want := range map[Isolation][]kafka.Offset{
		ReadCommitted: {0, 1, 5}, ReadUncommitted: {0, 1, 2, 5},
	} {
		var got []kafka.Offset
		for batch := range run.Visible(isolation) {
			got = append(got, batch.BaseOffset())
		}
		if !slices.Equal(got, want) {
			t.Errorf("isolation %d: batches at %v", isolation, got)
		}
	}
}
