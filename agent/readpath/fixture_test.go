package readpath

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore/faulty"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/kafka/settings"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var tp0 = kafka.TopicPartition{Topic: kafka.TopicID{9}, Partition: 1}

// tier is a hot log as the Sealer sees it: all that was appended is stable.
type tier struct {
	*hotlog.Log
	manifest *catalog.PartitionManifest
	settings atomic.Pointer[settings.Topic]
	stable   atomic.Int64 // caps the last stable offset, if not 0

	onRelease func(below kafka.Offset)
	epoch     kafka.LeaderEpoch
}

var _ tiering.Log = (*tier)(nil)

func (l *tier) TP() kafka.TopicPartition       { return tp0 }
func (l *tier) Topic() string                  { return "flights" }
func (l *tier) LeaderEpoch() kafka.LeaderEpoch { return l.epoch }
func (l *tier) Settings() settings.Topic       { return *l.settings.Load() }
func (l *tier) Manifest() tiering.Manifest     { return l.manifest }

func (l *tier) LastStableOffset() kafka.Offset {
	end := l.Log.LastStableOffset()
	if o := kafka.Offset(l.stable.Load()); o > 0 {
		end = min(end, o)
	}
	return end
}

func (l *tier) AbortedIn(r kafka.OffsetRange) ([]segment.AbortedTxn, error) {
	return l.Log.AbortedIn(r), nil
}

func (l *tier) Rolled() []tiering.Rolled {
	var out []tiering.Rolled
	for _, r := range l.Log.Rolled() {
		out = append(out, tiering.Rolled(r))
	}
	return out
}

func (l *tier) OpenSegment(base kafka.Offset) (tiering.SegmentFile, error) {
	return l.Log.OpenSegment(base)
}

// world is one partition with both tiers, a Sealer and a Reader.
type world struct {
	t      *testing.T
	inner  *mem.Store
	store  *faulty.Store
	fs     *vfs.Mem
	files  *hotlog.FileSet
	cat    *catalog.Catalog
	log    *tier
	sealer *tiering.Sealer
	reader *Reader
	cache  *cache.Cache
	foot   *cache.Footers

	data  []byte // everything appended, byte for byte
	next  kafka.Offset
	epoch kafka.LeaderEpoch
	stop  func()
}

func testSealerConfig() tiering.Config {
	c := tiering.DefaultConfig()
	c.UploadsMax = 2
	c.ScanInterval = 20 * time.Millisecond
	c.RetentionInterval = 20 * time.Millisecond
	c.RetryPauseMin, c.RetryPauseMax = time.Millisecond, 10*time.Millisecond
	return c
}

func forever() settings.Topic {
	return settings.Topic{
		SegmentBytes: 1 << 20, SegmentAge: time.Hour, RetentionTime: -1, RetentionBytes: -1,
		LocalRetentionTime: -1, LocalRetentionBytes: -1, RemoteStorage: true, SealAgeMax: time.Hour,
		CleanupPolicy: "delete",
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, inner: mem.New(), fs: vfs.NewMem()}
	w.store = faulty.New(w.inner)
	w.files = hotlog.NewFileSet(64)
	w.open(settingsOf(forever()))
	t.Cleanup(w.close)
	return w
}

func settingsOf(s settings.Topic) *settings.Topic { return &s }

// open starts everything over what the disk and the bucket hold.
func (w *world) open(st *settings.Topic) {
	w.t.Helper()
	ctx := context.Background()
	var err error
	if w.cat, err = catalog.Open(ctx, w.store, catalog.Options{Create: true}); err != nil {
		w.t.Fatal(err)
	}
	m := w.cat.Partition(tp0)
	head, err := m.Load(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := hotlog.DefaultConfig()
	cfg.SegmentBytes = 1 << 20
	l, err := hotlog.Open(w.fs, "/data/p", cfg, hotlog.Opening{
		StartOffset: head.SealedEnd(), Epochs: head.Epochs, LogStartOffset: head.LogStartOffset,
	}, hotlog.Deps{Files: w.files, BootID: "boot"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.epoch++ // no restart resumes an epoch
	if _, ok := w.cat.State().Partition(tp0); ok {
		state, err := w.cat.Commit(ctx, cluster.StartLeading{Agent: 1})
		if err != nil {
			w.t.Fatal(err)
		}
		p, _ := state.Partition(tp0)
		w.epoch = max(w.epoch, p.LeaderEpoch)
	}
	w.log = &tier{Log: l, manifest: m, onRelease: w.checkRelease, epoch: w.epoch}
	w.log.settings.Store(st)
	w.newSealer()
	w.newReader()
}

func (w *world) newSealer() {
	w.t.Helper()
	var err error
	w.sealer, err = tiering.New(testSealerConfig(), tiering.Deps{
		Store: w.store, Logger: slog.New(slog.DiscardHandler), StoreNow: w.cat.StoreNow,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.sealer.Add(w.log)
	sealer := w.sealer
	w.log.OnRolled(func() { sealer.Notify(tp0) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = sealer.Run(ctx)
	}()
	w.stop = func() { cancel(); <-done }
}

func (w *world) newReader() {
	w.t.Helper()
	if err := w.fs.MkdirAll("/cache"); err != nil {
		w.t.Fatal(err)
	}
	file, err := w.fs.Create("/cache/ranges")
	if err != nil {
		w.t.Fatal(err)
	}
	cc := cache.DefaultConfig()
	cc.BlockBytes = 256 << 10
	if w.cache, err = cache.New(w.store, file, cc, nil, slog.New(slog.DiscardHandler)); err != nil {
		w.t.Fatal(err)
	}
	w.foot = cache.NewFooters(w.store, cache.DefaultFooterConfig(), nil)
	streams, err := replay.New(w.store, w.foot, replay.Config{
		ChunkBytes: 256 << 10, Parallel: 3, SpareChunks: 4,
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.reader, err = New(DefaultConfig(), Parts{
		Replay: streams, Ranges: w.cache, Store: w.store, Footers: w.foot,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.stop()
	w.reader.Close()
	_ = w.cache.Close()
	w.foot.Close()
	_ = w.log.Close()
	_ = w.cat.Close()
}

// crash ends everything as kill -9 does, but for goroutines, and starts again on what the disk and the
// bucket hold.
func (w *world) crash() {
	w.t.Helper()
	disk := w.fs.ProcessCrashClone()
	st := w.log.settings.Load()
	w.close()
	w.fs = disk
	w.files = hotlog.NewFileSet(64)
	w.open(st)
}

func (w *world) source() Source { return Source{Hot: w.log.Log, Manifest: w.log.manifest} }

// stamp is the timestamp of an offset.
func stamp(o kafka.Offset) kafka.Timestamp { return 1_000_000 + kafka.Timestamp(o)*10 }

// append appends batches of ten records with values of size bytes.
func (w *world) append(batches, size int) {
	w.t.Helper()
	for range batches {
		rng := rand.New(rand.NewPCG(uint64(w.next), 5))
		b := record.NewBuilder(record.None)
		value := make([]byte, size)
		for i := range 10 {
			for j := range value {
				value[j] = byte(rng.Uint32())
			}
			b.Append(stamp(w.next+kafka.Offset(i)), fmt.Appendf(nil, "key-%d", i), value)
		}
		made, err := b.Build()
		if err != nil {
			w.t.Fatal(err)
		}
		got, err := w.log.Append(made, w.epoch, hotlog.AppendOptions{AppendTime: kafka.NoTimestamp})
		if err != nil {
			w.t.Fatal(err)
		}
		if got.BaseOffset != w.next {
			w.t.Fatalf("appended at %d, want %d", got.BaseOffset, w.next)
		}
		w.data = append(w.data, made...) // with offset and epoch patched in
		w.next = got.NextOffset
	}
}

func (w *world) seal() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	for _, r := range w.sealer.SealNow(ctx, []kafka.TopicPartition{tp0}) {
		if r.Err != nil {
			w.t.Fatal(r.Err)
		}
		if r.VerifiedEnd < w.log.LastStableOffset() {
			w.t.Fatalf("verified end %d, stable %d", r.VerifiedEnd, w.log.LastStableOffset())
		}
	}
}

// releaseAll lets the sealer release everything that is verified.
func (w *world) set(change func(*settings.Topic)) {
	st := *w.log.settings.Load()
	change(&st)
	w.log.settings.Store(&st)
	w.sealer.Notify(tp0)
}

// until waits for a condition, a few seconds at most.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("waited for: %s", what)
		}
	}
}

// readAll fetches from an offset to the end as a consumer does.
func (w *world) readAll(from kafka.Offset, bytesMax int) []byte {
	w.t.Helper()
	var all []byte
	for from < w.next {
		d, err := w.reader.Fetch(w.t.Context(), w.source(), Request{
			From: from, Until: w.next, BytesMax: bytesMax, MinOne: true,
		})
		if err != nil {
			w.t.Fatalf("fetch from %d: %v", from, err)
		}
		if d.Next <= from {
			w.t.Fatalf("fetch from %d to %d gives nothing", from, w.next)
		}
		for _, r := range d.Records {
			all = append(all, r...)
		}
		from = d.Next
		d.Release()
	}
	return all
}

// span is the bytes from the batch that holds an offset on.
func (w *world) span(from kafka.Offset) []byte {
	rest := w.data
	for len(rest) > 0 {
		b, next, err := record.Next(rest)
		if err != nil {
			w.t.Fatal(err)
		}
		if b.NextOffset() > from {
			return rest
		}
		rest = next
	}
	return nil
}
