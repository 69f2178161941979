package catalog

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
)

var smallPages = manifest.Limits{
	TailMax: 4, TailSpill: 2, PageEntries: 4, PagesMax: 3, PagesSpill: 2, IndexRefs: 3,
}

func TestAStalledLeaderIsFencedByTheNextOnesFirstEdit(t *testing.T) {
	store := mem.New()
	stalled := open(t, store, Options{})
	registerAgent(t, stalled, 1, "disk")
	topic := createTopic(t, stalled, "t", 1)
	tp := kafka.TopicPartition{Topic: topic.ID}
	mustSeal(t, stalled, tp, 0, 0)
	next := open(t, store, Options{})
	registerAgent(t, next, 1, "disk")
	mustSeal(t, next, tp, 10, 1)
	_, err := seal(t.Context(), stalled, tp, 10, 0)
	mustBe(t, err, manifest.ErrFenced)
	h, _ := next.Partition(tp).Load(t.Context())
	if h.SealedEnd() != 20 || len(h.Tail) != 2 || h.Tail[1].LeaderEpoch != 1 {
		t.Fatalf("manifest %+v", h)
	}
	check(t, store)
}

func TestAnEditWhoseReplyIsLostIsDoneOnce(t *testing.T) {
	for _, fault := range []faulty.Fault{
		faulty.ResetAfter, faulty.ResetBefore, faulty.Late, faulty.ConflictAfterSuccess, faulty.Conflict,
		faulty.Unavailable, faulty.Busy,
	} {
		store := faulty.New(mem.New())
		c := open(t, store, Options{})
		registerAgent(t, c, 1, "disk")
		tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
		mustSeal(t, c, tp, 0, 0)
		store.Add(faulty.Rule{Op: faulty.Put, Prefix: "manifests/", Fault: fault})
		mustSeal(t, c, tp, 10, 0)
		store.Land(t.Context())
		mustSeal(t, c, tp, 20, 0)
		if r := check(t, store); r.Segments != 3 || r.Keys[Live].Objects != 3+2 {
			t.Fatalf("%s: %+v", fault, r)
		}
	}
}

func TestAnEditThatCannotBeSettledIsUnknownAndThenFoundOut(t *testing.T) {
	store := faulty.New(mem.New())
	c := open(t, store, Options{})
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
	mustSeal(t, c, tp, 0, 0)
	store.Add(faulty.Rule{Op: faulty.Put, Prefix: "manifests/", Fault: faulty.Late},
		faulty.Rule{Op: faulty.Get, Prefix: "manifests/", Fault: faulty.Unavailable, Times: -1})
	_, err := seal(t.Context(), c, tp, 10, 0)
	mustBe(t, err, ErrUnknownOutcome)
	if _, ok := c.Partition(tp).Head(); ok {
		t.Fatal("the head in memory is still believed")
	}
	store.Quiet()
	store.Land(t.Context())
	h, err := c.Partition(tp).Load(t.Context())
	if err != nil || h.SealedEnd() != 20 {
		t.Fatalf("manifest %+v, %v", h, err)
	}
	check(t, store)
}

func TestAReaderNeverWrites(t *testing.T) {
	store := faulty.New(mem.New())
	c := open(t, store, Options{})
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
	mustSeal(t, c, tp, 0, 0)
	puts := requests(store, faulty.Put, func() {
		r, err := OpenReader(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Partition(tp).Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
			return h.Fence(9)
		})
		mustBe(t, err, ErrReadOnly)
		if _, ok, err := r.Partition(tp).Find(t.Context(), 5); err != nil || !ok {
			t.Fatal(ok, err)
		}
		check(t, store)
	})
	if puts != 0 {
		t.Fatalf("%d puts", puts)
	}
}

// fill adds n segments of ten offsets without uploading them, 60 by edit.
func fill(t *testing.T, c *Catalog, tp kafka.TopicPartition, n int,
	ts func(i int) kafka.Timestamp,
) {
	t.Helper()
	for i := 0; i < n; {
		stop := min(n, i+60)
		_, err := c.Partition(tp).Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
			for j := i; j < stop; j++ {
				e := manifest.Entry{
					BaseOffset: kafka.Offset(10 * j), NextOffset: kafka.Offset(10*j + 10),
					UID: fmt.Sprintf("%024d", j), Bytes: 1 << 30, DataBytes: 1<<30 - 9, FooterBytes: 9,
					CRC32C: uint32(j), Records: 10, Format: 1, MinTimestamp: ts(j), MaxTimestamp: ts(j) + 9,
				}
				var err error
				if h, err = h.AddSegment(manifest.Segment{Entry: e}, 0); err != nil {
					return h, err
				}
			}
			return h.Verify(kafka.Offset(10*stop), 0)
		})
		if err != nil {
			t.Fatal(err)
		}
		i = stop
	}
}

func TestFindingOneOfManySegmentsTakesThreeGets(t *testing.T) {
	t.Parallel()
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	store := faulty.New(mem.New())
	c := open(t, store, Options{})
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
	// Timestamps go up and down by a few segments.
	ts := func(i int) kafka.Timestamp { return kafka.Timestamp(100 * (i + (i*7)%5)) }
	fill(t, c, tp, n, ts)
	info, err := store.Head(t.Context(), manifest.HeadKey(tp))
	if err != nil || info.Size > 64<<10 {
		t.Fatalf("the head has %d bytes, %v", info.Size, err)
	}
	for i := 1; i < n; i = i*3 + 1 {
		gets := requests(store, faulty.Get, func() {
			r, _ := OpenReader(t.Context(), store)
			e, ok, err := r.Partition(tp).Find(t.Context(), kafka.Offset(10*i+5))
			if err != nil || !ok || e.BaseOffset != kafka.Offset(10*i) {
				t.Fatalf("offset %d: %+v, %v, %v", 10*i+5, e, ok, err)
			}
		})
		if gets > 1+3 { // the cluster head is one
			t.Fatalf("offset %d took %d gets", 10*i+5, gets)
		}
		want := 0
		for ts(want)+9 < ts(i) {
			want++
		}
		gets = requests(store, faulty.Get, func() {
			r, _ := OpenReader(t.Context(), store)
			e, ok, err := r.Partition(tp).FindTime(t.Context(), ts(i))
			if err != nil || !ok || e.BaseOffset != kafka.Offset(10*want) {
				t.Fatalf("time %d: %+v, %v, %v; want segment %d", ts(i), e, ok, err, want)
			}
		})
		if gets > 1+3 {
			t.Fatalf("time %d took %d gets", ts(i), gets)
		}
	}
	r, _ := OpenReader(t.Context(), store)
	if _, ok, err := r.Partition(tp).FindTime(t.Context(), ts(n)+1e9); ok || err != nil {
		t.Fatalf("a time after all: %v, %v", ok, err)
	}
	count := 0
	for e, err := range r.Partition(tp).Entries(t.Context(), 0) {
		if err != nil || e.BaseOffset != kafka.Offset(10*count) {
			t.Fatalf("entry %d: %+v, %v", count, e, err)
		}
		count++
	}
	if count != n {
		t.Fatalf("%d entries of %d", count, n)
	}
}

func TestBytesAndMaxTimestampCountOnlyWhatIsLive(t *testing.T) {
	store := mem.New()
	c := open(t, store, Options{Limits: smallPages})
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
	for i := range kafka.Offset(40) {
		mustSeal(t, c, tp, 10*i, 0)
	}
	for start := kafka.Offset(0); start < 400; start += 15 {
		_, err := c.Partition(tp).Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
			return h.MoveLogStart(start, 0, time.UnixMilli(1))
		})
		if err != nil {
			t.Fatal(err)
		}
		var want int64
		for e, err := range c.Partition(tp).Entries(t.Context(), 0) {
			if err != nil || e.NextOffset <= start {
				t.Fatal(e, err)
			}
			want += e.DataBytes
		}
		got, err := c.Partition(tp).DataBytes(t.Context())
		if err != nil || got != want {
			t.Fatalf("log start %d: %d bytes, want %d, %v", start, got, want, err)
		}
	}
	e, ok, err := c.Partition(tp).MaxTimestamp(t.Context())
	if err != nil || !ok || e.BaseOffset != 390 {
		t.Fatal(e, ok, err)
	}
	check(t, store)
}

func TestAReaderWhosePageWasSweptGoesOnByOffset(t *testing.T) {
	store := mem.New()
	c := open(t, store, Options{Limits: smallPages})
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
	// Until the last page has room, so that the next spill replaces it.
	at := kafka.Offset(0)
	for h := (manifest.Head{}); len(h.Pages) < 2 || h.Pages[1].Count == smallPages.PageEntries; {
		mustSeal(t, c, tp, at, 0)
		at += 10
		h, _ = c.Partition(tp).Head()
	}
	r, err := OpenReader(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	m := r.Partition(tp)
	old, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for ; at < 200; at += 10 {
		mustSeal(t, c, tp, at, 0)
	}
	for _, ref := range old.Pages {
		if err := store.Delete(t.Context(), ref.Key(tp)); err != nil {
			t.Fatal(err)
		}
	}
	// Some of the old head's pages were full and are still needed: write those again.
	for key, e := range c.parts.cache.byKey {
		raw, err := manifest.EncodePage(e.Value.(*cachedPage).page)
		if err != nil {
			t.Fatal(err)
		}
		h, _ := c.Partition(tp).Head()
		for _, ref := range append(h.Pages, h.Indexes...) {
			all, _ := c.Partition(tp).PagesBelow(t.Context(), []manifest.PageRef{ref})
			for _, x := range all {
				if x.Key(tp) == key {
					_, err = store.Put(t.Context(), key, objstore.Bytes(raw), objstore.Condition{})
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	next := kafka.Offset(0)
	for e, err := range m.Entries(t.Context(), 0) {
		if err != nil || e.BaseOffset != next {
			t.Fatalf("at %d: %+v, %v", next, e, err)
		}
		next = e.NextOffset
	}
	if next != 200 {
		t.Fatalf("ended at %d", next)
	}
}

func TestDamageIsNamedByFsck(t *testing.T) {
	store := mem.New()
	c := open(t, store, Options{Limits: smallPages})
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 2).ID}
	var es []manifest.Entry
	for i := range kafka.Offset(9) {
		es = append(es, mustSeal(t, c, tp, 10*i, 0))
	}
	check(t, store)
	put := func(key string, raw []byte) {
		if _, err := store.Put(t.Context(), key, objstore.Bytes(raw), objstore.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Delete(t.Context(), es[0].Key(tp)); err != nil {
		t.Fatal(err)
	}
	put(es[1].Key(tp), []byte("short"))
	put("stray", nil)
	h, _ := c.Partition(tp).Head()
	pages, _ := c.Partition(tp).Pages(t.Context())
	r, err := Fsck(t.Context(), store, FsckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Problem{
		{es[0].Key(tp), "missing; the manifest says offsets [0,10)"},
		{es[1].Key(tp), fmt.Sprintf("it has 5 bytes, the manifest says %d", es[1].Bytes)},
		{"stray", "not a key of Varve"},
	} {
		if !slicesContains(r.Problems, want) {
			t.Errorf("%+v is not among %+v", want, r.Problems)
		}
	}
	if len(pages) == 0 || h.SealedEnd() != 90 {
		t.Fatalf("no page was written: %+v", h)
	}
	put(pages[0].Key(tp), []byte("no page"))
	r, err = Fsck(t.Context(), store, FsckOptions{})
	if err != nil || r.ProblemCount == 0 || r.Problems[len(r.Problems)-1].Key != manifest.HeadKey(tp) {
		t.Fatalf("a damaged page gave %+v, %v", r, err)
	}
}

func slicesContains(ps []Problem, p Problem) bool {
	for _, x := range ps {
		if x == p {
			return true
		}
	}
	return false
}

func TestARefusedEditLeavesTheHead(t *testing.T) {
	c := open(t, mem.New(), Options{})
	registerAgent(t, c, 1, "disk")
	tp := kafka.TopicPartition{Topic: createTopic(t, c, "t", 1).ID}
	mustSeal(t, c, tp, 0, 0)
	boom := errors.New("boom")
	_, err := c.Partition(tp).Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
		h.SealedEndOffset = 99
		return h, boom
	})
	mustBe(t, err, boom)
	if h, _ := c.Partition(tp).Head(); h.SealedEnd() != 10 {
		t.Fatalf("head %+v", h)
	}
}
