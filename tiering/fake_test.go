package tiering

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a Log in memory.
type fakeLog struct {
	tp       kafka.TopicPartition
	manifest *catalog.PartitionManifest

	mu       sync.Mutex
	settings settings.Topic
	epoch    kafka.LeaderEpoch
	start    kafka.Offset // log start offset
	stable   kafka.Offset // NoOffset: the log end
	rolled   []fakeSegment
	active   fakeSegment
	next     kafka.Offset
	looks    int
}

type fakeSegment struct {
	Rolled
	data []byte
}

var _ Log = (*fakeLog)(nil)

func forever() settings.Topic {
	return settings.Topic{
		SegmentAge: 100 * time.Hour, RetentionTime: -1, RetentionBytes: -1,
		LocalRetentionTime: -1, LocalRetentionBytes: -1, RemoteStorage: true,
		SealAgeMax: 100 * time.Hour, CleanupPolicy: "delete",
	}
}

func newFakeLog(c *catalog.Catalog, n int32, start kafka.Offset) *fakeLog {
	l := &fakeLog{
		tp: kafka.TopicPartition{Topic: kafka.TopicID{5}, Partition: n}, settings: forever(), epoch: 2,
		stable: kafka.NoOffset, next: start, start: start,
	}
	l.manifest = c.Partition(l.tp)
	l.active.BaseOffset = start
	return l
}

// append appends one batch of ten records that bear a timestamp.
func (l *fakeLog) append(t testing.TB, ts time.Time, size int) {
	t.Helper()
	b := record.NewBuilder(record.None)
	for i := range 10 {
		b.Append(kafka.TimestampOf(ts), nil, bytes.Repeat([]byte{byte(i)}, size))
	}
	made, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	made.SetBaseOffset(l.next)
	made.SetLeaderEpoch(l.epoch)
	if len(l.active.data) == 0 {
		l.active = fakeSegment{Rolled: Rolled{
			BaseOffset: l.next, FirstAppendAt: time.Now(), MinTimestamp: kafka.TimestampOf(ts),
		}}
	}
	l.active.data = append(l.active.data, made...)
	l.active.MaxTimestamp = max(l.active.MaxTimestamp, kafka.TimestampOf(ts))
	l.next += 10
}

func (l *fakeLog) set(change func(*fakeLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *fakeLog) TP() kafka.TopicPartition { return l.tp }
func (l *fakeLog) Topic() string            { return "fake" }
func (l *fakeLog) Manifest() Manifest       { return l.manifest }

func (l *fakeLog) LeaderEpoch() kafka.LeaderEpoch {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}

func (l *fakeLog) Settings() settings.Topic {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	return l.settings
}

func (l *fakeLog) LogStartOffset() kafka.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start
}

func (l *fakeLog) LocalLogStartOffset() kafka.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rolled) > 0 {
		return l.rolled[0].BaseOffset
	}
	return l.active.BaseOffset
}

func (l *fakeLog) LastStableOffset() kafka.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stable != kafka.NoOffset {
		return l.stable
	}
	return l.next
}

func (l *fakeLog) LogEndOffset() kafka.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

func (l *fakeLog) SizeBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(len(l.active.data))
	for _, r := range l.rolled {
		n += r.Bytes
	}
	return n
}

func (l *fakeLog) Epochs() []kafka.EpochStart {
	return []kafka.EpochStart{{Epoch: l.LeaderEpoch(), StartOffset: 0}}
}

func (l *fakeLog) AbortedIn(kafka.OffsetRange) ([]segment.AbortedTxn, error) { return nil, nil }

func (l *fakeLog) ProducersAt(kafka.Offset) ([]segment.ProducerState, error) { return nil, nil }

func (l *fakeLog) ActiveSince() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active.FirstAppendAt, len(l.active.data) > 0
}

func (l *fakeLog) ActiveNewest() kafka.Timestamp {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.active.data) == 0 {
		return kafka.NoTimestamp
	}
	return l.active.MaxTimestamp
}

func (l *fakeLog) Rolled() []Rolled {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Rolled
	for _, r := range l.rolled {
		out = append(out, r.Rolled)
	}
	return out
}

// fakeFile is a pinned segment.
type fakeFile struct{ *bytes.Reader }

func (fakeFile) Close() error { return nil }

var _ io.ReaderAt = fakeFile{}

func (l *fakeLog) OpenSegment(base kafka.Offset) (SegmentFile, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rolled {
		if r.BaseOffset == base {
			return fakeFile{bytes.NewReader(r.data)}, nil
		}
	}
	return nil, errors.New("no such segment")
}

func (l *fakeLog) Roll() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.active.data) == 0 {
		return false, nil
	}
	s := l.active
	s.NextOffset, s.Bytes, s.RolledAt = l.next, int64(len(s.data)), time.Now()
	l.rolled = append(l.rolled, s)
	l.active = fakeSegment{Rolled: Rolled{BaseOffset: l.next}}
	return true, nil
}

func (l *fakeLog) MaybeRoll(now time.Time) (bool, error) {
	since, ok := l.ActiveSince()
	if ok && now.Sub(since) > l.Settings().SegmentAge {
		return l.Roll()
	}
	return false, nil
}

func (l *fakeLog) Release(below kafka.Offset) (segments int, size int64, err error) {
	head, _ := l.manifest.Head()
	if below > max(head.VerifiedEnd, head.LogStartOffset) {
		return 0, 0, fmt.Errorf("V6: release below %d, verified end %d", below, head.VerifiedEnd)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.rolled) > 0 && l.rolled[0].NextOffset <= below {
		segments++
		size += l.rolled[0].Bytes
		l.rolled = l.rolled[1:]
	}
	return segments, size, nil
}

func (l *fakeLog) SetLogStartOffset(o kafka.Offset) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = max(l.start, o)
	return nil
}

// bench is a Sealer over a faulty store in memory.
type bench struct {
	t      *testing.T
	store  *faulty.Store
	cat    *catalog.Catalog
	sealer *Sealer
	stop   func()
}

func testConfig() Config {
	c := DefaultConfig()
	c.RetryPauseMin, c.RetryPauseMax = time.Millisecond, 4*time.Millisecond
	return c
}

// newBench makes a Sealer that does not run yet.
func newBench(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{t: t, store: faulty.New(mem.New())}
	var err error
	if b.cat, err = catalog.Open(t.Context(), b.store, catalog.Options{Create: true}); err != nil {
		t.Fatal(err)
	}
	b.sealer, err = New(cfg, Deps{
		Store: b.store, Logger: slog.New(slog.DiscardHandler), StoreNow: b.cat.StoreNow,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.stop = func() {}
	return b
}

// run starts the Sealer; close stops it.
func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = b.sealer.Run(ctx)
	}()
	b.stop = func() { cancel(); <-done }
}

func (b *bench) close() {
	b.stop()
	_ = b.cat.Close()
}

// add makes a partition and gives it to the Sealer.
func (b *bench) add(n int32) *fakeLog {
	b.t.Helper()
	l := newFakeLog(b.cat, n, 0)
	if _, err := l.manifest.Load(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	b.sealer.Add(l)
	return l
}

func (b *bench) seal(l *fakeLog) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Second)
	defer cancel()
	if r := b.sealer.SealNow(ctx, []kafka.TopicPartition{l.tp}); r[0].Err != nil {
		b.t.Fatal(r[0].Err)
	}
}

// count counts calls to the store by operation and key prefix.
func count(calls []faulty.Call, op faulty.Op, prefix string) int {
	n := 0
	for _, c := range calls {
		if c.Op == op && len(c.Key) >= len(prefix) && c.Key[:len(prefix)] == prefix {
			n++
		}
	}
	return n
}

var _ objstore.Store = (*faulty.Store)(nil)
