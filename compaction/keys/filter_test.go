package keys

import (
	"fmt"
	"testing"
	"time"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

const hour = kafka.Timestamp(time.Hour / time.Millisecond)

// log is a list of batches under construction.
type log struct {
	t       *testing.T
	batches []record.Batch
	next    kafka.Offset
	aborted []segment.AbortedTxn
	open    map[kafka.ProducerID]kafka.Offset
	live    map[kafka.ProducerID]LastBatch
	seq     map[kafka.ProducerID]int32
	codec   record.Codec

	keepDeletes bool
}

func newLog(t *testing.T) *log {
	return &log{
		t: t, open: map[kafka.ProducerID]kafka.Offset{}, seq: map[kafka.ProducerID]int32{},
		live: map[kafka.ProducerID]LastBatch{},
	}
}

// kv is a record; a value of "-" is a tombstone, a key of "-" null.
type kv struct{ k, v string }

func (l *log) add(b record.Batch) {
	b.SetBaseOffset(l.next)
	b.SetLeaderEpoch(3)
	l.next = b.NextOffset()
	l.batches = append(l.batches, b)
}

func (l *log) build(id kafka.ProducerID, transactional bool, records []kv) record.Batch {
	b := record.NewBuilder(l.codec)
	b.Transactional = transactional
	if id >= 0 {
		b.SetProducer(id, 0, l.seq[id])
		l.seq[id] += int32(len(records))
	}
	for i, r := range records {
		var key, value []byte
		if r.k != "-" {
			key = []byte(r.k)
		}
		if r.v != "-" {
			value = []byte(r.v)
		}
		b.Append(100+kafka.Timestamp(i), key, value, record.Header{Key: "h", Value: []byte(r.k)})
	}
	out, err := b.Build()
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

func (l *log) put(records ...kv) { l.add(l.build(-1, false, records)) }

func (l *log) txn(id kafka.ProducerID, records ...kv) {
	if _, ok := l.open[id]; !ok {
		l.open[id] = l.next
	}
	l.add(l.build(id, true, records))
	l.live[id] = LastBatch{LastOffset: l.next - 1}
}

func (l *log) end(id kafka.ProducerID, m record.Marker) {
	if m == record.Abort {
		l.aborted = append(l.aborted, segment.AbortedTxn{
			ProducerID: id, FirstOffset: l.open[id], LastOffset: l.next,
		})
	}
	delete(l.open, id)
	l.add(record.NewMarker(m, id, 0, 1, 500))
}

// clean makes both passes and gives what is left.
func (l *log) clean(now kafka.Timestamp, m *Map) (*log, *Filter) {
	l.t.Helper()
	x := NewIndexer(m, 0, l.aborted, record.DefaultLimits())
	for _, b := range l.batches {
		full, err := x.Add(b)
		if err != nil {
			l.t.Fatal(err)
		}
		if full {
			break
		}
	}
	f := NewFilter(Options{
		Map: m, Now: now, DeleteRetention: time.Hour, Producers: l.live,
		Aborted: l.aborted, Limits: record.DefaultLimits(), KeepDeletes: l.keepDeletes,
	})
	out := newLog(l.t)
	out.aborted, out.live, out.next, out.seq = l.aborted, l.live, l.next, l.seq
	for i, b := range l.batches {
		got, err := f.Append(nil, b, i == len(l.batches)-1)
		if err != nil {
			l.t.Fatal(err)
		}
		if len(got) == 0 {
			continue
		}
		c, rest, err := record.Next(got)
		if err != nil || len(rest) > 0 {
			l.t.Fatalf("filter gave %d bytes too many: %v", len(rest), err)
		}
		if err := c.ValidateStored(); err != nil {
			l.t.Fatalf("filter gave a bad batch: %v", err)
		}
		if c.BaseOffset() != b.BaseOffset() || c.LastOffset() != b.LastOffset() ||
			c.LeaderEpoch() != b.LeaderEpoch() || c.BaseSequence() != b.BaseSequence() {
			l.t.Fatalf("batch %d lost its offsets, epoch or sequence", b.BaseOffset())
		}
		if c.Count() > 0 && c.Codec() != b.Codec() {
			l.t.Fatalf("codec %s became %s", b.Codec(), c.Codec())
		}
		out.batches = append(out.batches, c)
	}
	return out, f
}

// String lists offsets and records: "0:a=1@100 2:b-@102 [3-4] 5:commit".
func (l *log) String() string {
	var s []string
	for _, b := range l.batches {
		if b.Count() == 0 {
			s = append(s, fmt.Sprintf("[%d-%d]", b.BaseOffset(), b.LastOffset()))
			continue
		}
		it := b.Records(record.DefaultLimits())
		for it.Next() {
			s = append(s, show(b, it.Record()))
		}
		if err := it.Err(); err != nil {
			l.t.Fatal(err)
		}
		it.Close()
	}
	return fmt.Sprint(s)
}

func show(b record.Batch, r record.Record) string {
	if b.IsControl() {
		m, _, _ := record.ParseMarker(r)
		return fmt.Sprintf("%d:%s", r.Offset, map[record.Marker]string{
			record.Abort: "abort", record.Commit: "commit",
		}[m])
	}
	if len(r.Headers) != 1 || string(r.Headers[0].Value) != string(r.Key) {
		return fmt.Sprintf("%d:headers lost", r.Offset)
	}
	value := "=" + string(r.Value)
	if r.Value == nil {
		value = "-"
	}
	return fmt.Sprintf("%d:%s%s@%d", r.Offset, r.Key, value, r.Timestamp)
}

func expect(t *testing.T, got fmt.Stringer, want string) {
	t.Helper()
	if got.String() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func bigMap() *Map { return NewMap(1<<20, 0.9) }

func TestLastValueOfEachKeyIsKept(t *testing.T) {
	for codec := record.None; codec <= record.Zstd; codec++ {
		l := newLog(t)
		l.codec = codec
		l.put(kv{"a", "1"}, kv{"b", "1"}, kv{"c", "1"}, kv{"b", "2"})
		l.put(kv{"a", "2"})
		l.put(kv{"c", "2"}, kv{"d", "1"})
		out, f := l.clean(0, bigMap())
		expect(t, out, "[3:b=2@103 4:a=2@100 5:c=2@100 6:d=1@101]")
		if s := f.Stats(); s.RecordsRead != 7 || s.RecordsKept != 4 {
			t.Errorf("stats %+v", s)
		}
		if out.batches[0].MaxTimestamp() != 103 || out.batches[0].BaseOffset() != 0 {
			t.Errorf("batch header of what was rewritten: max timestamp %d, base offset %d",
				out.batches[0].MaxTimestamp(), out.batches[0].BaseOffset())
		}
		again, _ := out.clean(0, bigMap())
		expect(t, again, out.String())
	}
}

func TestTombstonesStayUntilTheirHorizon(t *testing.T) {
	l := newLog(t)
	l.put(kv{"a", "1"}, kv{"b", "1"})
	l.put(kv{"b", "2"}, kv{"a", "-"}, kv{"c", "-"})
	l.put(kv{"z", "1"})
	const now = 1_000_000
	out, _ := l.clean(now, bigMap())
	expect(t, out, "[2:b=2@100 3:a-@101 4:c-@102 5:z=1@100]")
	horizon, ok := out.batches[0].DeleteHorizon()
	if !ok || horizon != now+hour || out.batches[0].MaxTimestamp() != 102 {
		t.Fatalf("horizon %d %v, max timestamp %d", horizon, ok, out.batches[0].MaxTimestamp())
	}
	if _, ok := out.batches[1].DeleteHorizon(); ok {
		t.Error("a batch without tombstones got a horizon")
	}
	later, _ := out.clean(now+hour-1, bigMap())
	expect(t, later, out.String())
	if h, _ := later.batches[0].DeleteHorizon(); h != horizon {
		t.Errorf("a second cleaning moved the horizon to %d", h)
	}
	gone, _ := later.clean(now+hour, bigMap())
	expect(t, gone, "[2:b=2@100 5:z=1@100]")
}

// Records that lie below what is filtered, as in a sealed part, need their tombstones and markers.
func TestDeletesAreKeptForWhatLiesBelow(t *testing.T) {
	l := newLog(t)
	l.put(kv{"a", "-"})
	l.end(7, record.Abort)
	l.put(kv{"z", "1"})
	l.keepDeletes = true
	out, _ := l.clean(0, bigMap())
	out.keepDeletes = true
	out, _ = out.clean(9*hour, bigMap())
	expect(t, out, "[0:a-@100 1:abort 2:z=1@100]")
	out.keepDeletes = false
	out, f := out.clean(9*hour, bigMap())
	expect(t, out, "[2:z=1@100]")
	if got := f.TakeForgotten(); len(got) != 1 || got[0] != 1 {
		t.Errorf("forgotten %v", got)
	}
}

func TestNullKeysGo(t *testing.T) {
	l := newLog(t)
	l.put(kv{"-", "1"}, kv{"a", "1"})
	l.put(kv{"-", "2"})
	out, f := l.clean(0, bigMap())
	expect(t, out, "[1:a=1@101 [2-2]]")
	if f.Stats().NullKeys != 2 {
		t.Errorf("stats %+v", f.Stats())
	}
}

func TestAbortedRecordsGoAndMarkersFollow(t *testing.T) {
	l := newLog(t)
	l.put(kv{"a", "1"})
	l.txn(7, kv{"a", "x"}, kv{"b", "x"})
	l.txn(8, kv{"c", "1"})
	l.end(7, record.Abort)
	l.end(8, record.Commit)
	l.put(kv{"z", "1"})
	l.live = nil
	out, f := l.clean(1000, bigMap())
	// The abort marker stays although its data went just now: readers may be in the middle of it.
	expect(t, out, "[0:a=1@100 3:c=1@100 4:abort 5:commit 6:z=1@100]")
	if got := f.TakeForgotten(); len(got) != 0 {
		t.Fatalf("forgotten %v", got)
	}
	// The second cleaning finds nothing of it and sets the marker's horizon.
	out, _ = out.clean(2000, bigMap())
	expect(t, out, "[0:a=1@100 3:c=1@100 4:abort 5:commit 6:z=1@100]")
	if h, ok := out.batches[2].DeleteHorizon(); !ok || h != 2000+hour {
		t.Fatalf("marker's horizon %d %v", h, ok)
	}
	if _, ok := out.batches[3].DeleteHorizon(); ok {
		t.Error("the marker of a transaction with records got a horizon")
	}
	out, f = out.clean(2000+hour, bigMap())
	expect(t, out, "[0:a=1@100 3:c=1@100 5:commit 6:z=1@100]")
	if got := f.TakeForgotten(); len(got) != 1 || got[0] != 4 {
		t.Errorf("forgotten %v", got)
	}
}

func TestCommitMarkerGoesAfterItsRecords(t *testing.T) {
	l := newLog(t)
	l.txn(7, kv{"a", "1"})
	l.end(7, record.Commit)
	l.put(kv{"a", "2"})
	l.live = nil
	out, _ := l.clean(1000, bigMap())
	expect(t, out, "[1:commit 2:a=2@100]")
	out, _ = out.clean(2000, bigMap())
	out, f := out.clean(2000+hour, bigMap())
	expect(t, out, "[2:a=2@100]")
	if got := f.TakeForgotten(); len(got) != 0 {
		t.Errorf("forgotten %v", got)
	}
}

func TestLastBatchOfALiveProducerStaysEmpty(t *testing.T) {
	l := newLog(t)
	l.txn(7, kv{"a", "1"}, kv{"b", "1"})
	l.txn(7, kv{"a", "2"}, kv{"b", "2"})
	l.end(7, record.Commit)
	l.put(kv{"a", "3"}, kv{"b", "3"})
	out, _ := l.clean(0, bigMap())
	expect(t, out, "[[2-3] 4:commit 5:a=3@100 6:b=3@101]")
	if b := out.batches[0]; b.ProducerID() != 7 || b.LastSequence() != 3 || !b.IsTransactional() {
		t.Errorf("empty batch of producer %d, sequence %d", b.ProducerID(), b.LastSequence())
	}
	out, _ = out.clean(2*hour, bigMap())
	expect(t, out, "[[2-3] 4:commit 5:a=3@100 6:b=3@101]") // the marker as long as a batch
	out.live = nil
	out, _ = out.clean(4*hour, bigMap())
	expect(t, out, "[4:commit 5:a=3@100 6:b=3@101]")
}

func TestMarkerOfALiveProducerStaysForItsEpoch(t *testing.T) {
	l := newLog(t)
	l.end(7, record.Commit)
	l.put(kv{"a", "1"})
	l.live[7] = LastBatch{LastOffset: kafka.NoOffset, Epoch: 0}
	out, _ := l.clean(0, bigMap())
	out, _ = out.clean(hour, bigMap())
	expect(t, out, "[[0-0] 1:a=1@100]")
	out, _ = out.clean(9*hour, bigMap())
	expect(t, out, "[[0-0] 1:a=1@100]")
	out.live = nil
	out, _ = out.clean(9*hour, bigMap())
	expect(t, out, "[1:a=1@100]")
}

func TestFullMapCleansAsFarAsItReaches(t *testing.T) {
	l := newLog(t)
	for i := range 40 {
		l.put(kv{fmt.Sprint("k", i%20), fmt.Sprint(i)})
	}
	m := NewMap(16*slotBytes, 0.9) // room for 14 keys
	out, _ := l.clean(0, m)
	if m.End() != 14 {
		t.Fatalf("map reaches %d", m.End())
	}
	if len(out.batches) != 40 {
		t.Errorf("%d batches left", len(out.batches))
	}
}

func TestMapGrowsToItsBound(t *testing.T) {
	m := NewMap(5000*slotBytes, 0.9)
	n := 0
	for m.Put([]byte(fmt.Sprint("key", n)), kafka.Offset(n)) {
		n++
	}
	if n != 4500 || m.Len() != n || m.Bytes() != 5000*slotBytes {
		t.Fatalf("%d keys, %d bytes", n, m.Bytes())
	}
	for i := range n {
		if o, ok := m.Get([]byte(fmt.Sprint("key", i))); !ok || o != kafka.Offset(i) {
			t.Fatalf("key %d: %d %v", i, o, ok)
		}
	}
	if !m.Put([]byte("key0"), 9999) {
		t.Error("a known key needs no room")
	}
	if _, ok := m.Get([]byte("other")); ok {
		t.Error("found a key that was never put")
	}
	if m.Clear(); m.Len() != 0 || m.End() != 0 {
		t.Error("not cleared")
	}
}

func TestLogAppendTimeSurvivesAHorizon(t *testing.T) {
	l := newLog(t)
	b := l.build(-1, false, []kv{{"a", "1"}, {"b", "-"}, {"a", "2"}})
	b.SetAppendTime(777)
	l.add(b)
	out, _ := l.clean(1000, bigMap())
	expect(t, out, "[1:b-@777 2:a=2@777]")
}

func TestCorruptBatchIsAnError(t *testing.T) {
	l := newLog(t)
	l.codec = record.Zstd
	l.put(kv{"a", "1"})
	b := l.batches[0]
	b[len(b)-3] ^= 0xff
	f := NewFilter(Options{Map: bigMap(), Limits: record.DefaultLimits()})
	if out, err := f.Append(nil, b, true); err == nil || len(out) > 0 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}
