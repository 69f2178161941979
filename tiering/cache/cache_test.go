package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// countingStore counts GETs and can hold them back.
type countingStore struct {
	objstore.Store
	gets atomic.Int64
	hold chan struct{} // nil: GETs are not held back
	fail atomic.Pointer[error]
}

func (s *countingStore) Get(
	ctx context.Context, key string, r objstore.Range,
) (io.ReadCloser, objstore.Info, error) {
	s.gets.Add(1)
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return nil, objstore.Info{}, ctx.Err()
		}
	}
	if err := s.fail.Load(); err != nil {
		return nil, objstore.Info{}, *err
	}
	return s.Store.Get(ctx, key, r)
}

type fixture struct {
	store *countingStore
	cache *Cache
	data  []byte
	o     Object
}

// memFile is a File in memory whose reads and writes can be made to fail.
type memFile struct {
	mu       sync.Mutex
	b        []byte
	writeErr error
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if off >= int64(len(f.b)) {
		return 0, io.EOF
	}
	n := copy(p, f.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writeErr != nil {
		return 0, f.writeErr
	}
	if need := int(off) + len(p); need > len(f.b) {
		f.b = append(f.b, make([]byte, need-len(f.b))...)
	}
	return copy(f.b[off:], p), nil
}

func (f *memFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.b = f.b[:size]
	return nil
}

func (f *memFile) Close() error { return nil }

func newFixture(t *testing.T, file File, cfg Config, size int) *fixture {
	t.Helper()
	f := &fixture{store: &countingStore{Store: mem.New()}, data: make([]byte, size)}
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(f.data)
	f.o = Object{Key: "segments/a", Size: int64(size)}
	if _, err := f.store.Put(t.Context(), f.o.Key, objstore.Bytes(f.data),
		objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	c, err := New(f.store, file, cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.cache = c
	t.Cleanup(func() { _ = c.Close() })
	return f
}

func (f *fixture) read(t *testing.T, off, n int) {
	t.Helper()
	dst := make([]byte, n)
	if err := f.cache.ReadRange(t.Context(), f.o, dst, int64(off)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(dst, f.data[off:off+n]) {
		t.Fatalf("bytes %d to %d differ", off, off+n)
	}
}

func smallConfig(blocks int) Config {
	c := DefaultConfig()
	c.BlockBytes = 2 * pageBytes
	c.BytesMax = int64(blocks * c.BlockBytes)
	return c
}

func TestReadRangeGivesTheObjectsBytesAndFillsOnce(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "cache"))
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, file, smallConfig(64), 5*pageBytes+123)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		off := rng.IntN(len(f.data))
		f.read(t, off, rng.IntN(len(f.data)-off))
	}
	f.read(t, 0, len(f.data))
	if gets := f.store.gets.Load(); gets != 3 {
		t.Errorf("%d GETs for 3 blocks", gets)
	}
}

func TestConcurrentReadersShareOneFill(t *testing.T) {
	f := newFixture(t, &memFile{}, smallConfig(8), 2*pageBytes)
	f.store.hold = make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { f.read(t, 100, 1000) })
	}
	close(f.store.hold)
	wg.Wait()
	if gets := f.store.gets.Load(); gets != 1 {
		t.Errorf("%d GETs, want 1", gets)
	}
}

func TestFillOutlivesTheReaderThatAskedForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, &memFile{}, smallConfig(8), 2*pageBytes)
		f.store.hold = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := f.cache.ReadRange(ctx, f.o, make([]byte, 10), 0)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		close(f.store.hold)
		synctest.Wait()
		f.read(t, 0, 10)
		if gets := f.store.gets.Load(); gets != 1 {
			t.Errorf("%d GETs, want the abandoned one only", gets)
		}
		_ = f.cache.Close()
	})
}

func TestEvictionKeepsToTheBoundAndPrefersWhatIsRead(t *testing.T) {
	cfg := smallConfig(4)
	f := newFixture(t, &memFile{}, cfg, 8*cfg.BlockBytes)
	for b := range 8 {
		f.read(t, b*cfg.BlockBytes, 10)
		f.read(t, 0, 10) // block 0 is read all the time
		waitIdle(t, f.cache)
	}
	if used := testutil.ToFloat64(f.cache.metrics.UsedBytes); used != float64(cfg.BytesMax) {
		t.Errorf("%v bytes used, bound is %d", used, cfg.BytesMax)
	}
	if gets := f.store.gets.Load(); gets != 8 {
		t.Errorf("%d GETs: block 0 was evicted though it is read all the time", gets)
	}
}

// waitIdle waits until no fill is under way.
func waitIdle(t *testing.T, c *Cache) {
	t.Helper()
	for range c.cfg.FillsMax {
		select {
		case c.fills <- struct{}{}:
		case <-time.After(10 * time.Second):
			t.Fatal("fills do not end")
		}
	}
	for range c.cfg.FillsMax {
		<-c.fills
	}
}

func TestBadPageOnDiskIsGotAgain(t *testing.T) {
	file := &memFile{}
	f := newFixture(t, file, smallConfig(8), 2*pageBytes)
	f.read(t, 0, 10)
	waitIdle(t, f.cache)
	file.mu.Lock()
	file.b[5] ^= 1
	file.mu.Unlock()
	f.read(t, 0, 10)
	if n := testutil.ToFloat64(f.cache.metrics.CorruptPages); n != 1 {
		t.Errorf("%v corrupt pages counted, want 1", n)
	}
	waitIdle(t, f.cache)
	f.read(t, 0, 2*pageBytes)
	if gets := f.store.gets.Load(); gets != 2 {
		t.Errorf("%d GETs, want 2", gets)
	}
}

func TestFullDiskServesFromMemory(t *testing.T) {
	f := newFixture(t, &memFile{writeErr: errors.New("no space left")}, smallConfig(8), pageBytes)
	for range 3 {
		f.read(t, 7, 100)
		waitIdle(t, f.cache)
	}
	if gets := f.store.gets.Load(); gets != 3 {
		t.Errorf("%d GETs, want one for each read", gets)
	}
}

func TestForgetMakesTheNextReadAskTheStore(t *testing.T) {
	f := newFixture(t, &memFile{}, smallConfig(8), 4*pageBytes)
	f.read(t, 0, 4*pageBytes)
	waitIdle(t, f.cache)
	f.cache.Forget(f.o.Key)
	f.read(t, 0, 4*pageBytes)
	if gets := f.store.gets.Load(); gets != 4 {
		t.Errorf("%d GETs, want 4", gets)
	}
}

func TestReadRangeRefusesWhatLiesOutsideTheObject(t *testing.T) {
	f := newFixture(t, nil, smallConfig(8), 100)
	for _, off := range []int64{-1, 91, 1000} {
		if err := f.cache.ReadRange(t.Context(), f.o, make([]byte, 10), off); !errors.Is(
			err, ErrOutOfRange) {
			t.Errorf("offset %d: got %v", off, err)
		}
	}
	f.read(t, 90, 10) // without a file too
}

func TestFailedFillIsReportedAndTriedAgainByTheNextReader(t *testing.T) {
	f := newFixture(t, &memFile{}, smallConfig(8), 100)
	notFound := error(objstore.ErrNotFound)
	f.store.fail.Store(&notFound)
	err := f.cache.ReadRange(t.Context(), f.o, make([]byte, 10), 0)
	if !errors.Is(err, objstore.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	f.store.fail.Store(nil)
	waitIdle(t, f.cache)
	f.read(t, 0, 10)
}

func TestCloseEndsFills(t *testing.T) {
	f := newFixture(t, &memFile{}, smallConfig(8), 100)
	f.store.hold = make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- f.cache.ReadRange(context.Background(), f.o, make([]byte, 10), 0) }()
	for f.store.gets.Load() == 0 {
		waitTick(t)
	}
	if err := f.cache.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("reader got %v", err)
	}
	if err := f.cache.ReadRange(t.Context(), f.o, make([]byte, 10), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

func waitTick(t *testing.T) {
	t.Helper()
	select {
	case <-time.After(time.Millisecond):
	case <-t.Context().Done():
		t.Fatal("test ended")
	}
}

func TestConfigNamesTheFieldThatCannotBe(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.BytesMax = -1 },
		func(c *Config) { c.BlockBytes = 1000 },
		func(c *Config) { c.FillsMax = 0 },
		func(c *Config) { c.FillTimeout = 0 },
	} {
		c := DefaultConfig()
		change(&c)
		if _, err := New(mem.New(), nil, c, nil, slog.Default()); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

func TestForgetHoldsForAFillUnderWay(t *testing.T) {
	// A block that had arrived damaged was forgotten before it was kept, and kept after that.
	f := newFixture(t, &memFile{}, smallConfig(8), 100)
	f.store.hold = make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- f.cache.ReadRange(context.Background(), f.o, make([]byte, 10), 0) }()
	for f.store.gets.Load() == 0 {
		waitTick(t)
	}
	f.cache.Forget(f.o.Key)
	close(f.store.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	waitIdle(t, f.cache)
	f.read(t, 0, 10)
	if gets := f.store.gets.Load(); gets != 2 {
		t.Errorf("%d GETs, want 2", gets)
	}
}
