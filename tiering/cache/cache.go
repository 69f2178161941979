package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// pageBytes is the unit of checksums, and of reading back.
const pageBytes = 64 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Config bounds a Cache.
type Config struct {
	// BytesMax bounds the file on the local disk. Default 1 GiB; 0 keeps nothing, so that only
	// readers who ask at the same time share a GET.
	BytesMax int64
	// BlockBytes is the aligned unit of filling and evicting, a multiple of 64 KiB. Default 1 MiB.
	BlockBytes int
	// FillsMax bounds the GETs under way at once, and so memory: FillsMax blocks. Default 16.
	FillsMax int
	// FillTimeout bounds one fill. Default one minute.
	FillTimeout time.Duration
}

// DefaultConfig is right for an agent with a disk of its own.
func DefaultConfig() Config {
	return Config{BytesMax: 1 << 30, BlockBytes: 1 << 20, FillsMax: 16, FillTimeout: time.Minute}
}

// Validate names the field that cannot be.
func (c Config) Validate() error {
	switch {
	case c.BytesMax < 0:
		return fmt.Errorf("cache: BytesMax is %d; want 0 or more bytes", c.BytesMax)
	case c.BlockBytes <= 0 || c.BlockBytes%pageBytes != 0:
		return fmt.Errorf("cache: BlockBytes is %d; want a multiple of %d", c.BlockBytes, pageBytes)
	case c.FillsMax <= 0:
		return fmt.Errorf("cache: FillsMax is %d; want 1 or more", c.FillsMax)
	case c.FillTimeout <= 0:
		return fmt.Errorf("cache: FillTimeout is %s; want more than 0", c.FillTimeout)
	}
	return nil
}

// File is the local file that holds the blocks. The cache owns it: it is emptied by New and closed
// by Close.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Close() error
}

// Cache is a bounded cache of blocks of objects in one local file. Make one with New.
type Cache struct {
	cfg     Config
	direct  Direct
	file    File
	metrics *Metrics
	logger  *slog.Logger

	ctx    context.Context // of the fills; ends with Close
	cancel context.CancelFunc
	fills  chan struct{} // one token for each fill under way
	wg     sync.WaitGroup

	mu      sync.Mutex
	slots   slots
	flights map[blockID]*flight
	closed  bool
}

var _ Ranges = (*Cache)(nil)

// blockID is block number Block of an object.
type blockID struct {
	key   string
	block int64
}

// flight is a fill under way. data and err are set before done is closed.
type flight struct {
	done chan struct{}
	data []byte
	err  error

	forgotten bool // guarded by the Cache's mutex: what it brings is not to be kept
}

// New makes an empty cache of store's objects in file. A nil file, or BytesMax below one block,
// keeps nothing between reads. Metrics may be nil.
func New(
	store objstore.Store, file File, cfg Config, m *Metrics, logger *slog.Logger,
) (*Cache, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if m == nil {
		m = NewMetrics(nil)
	}
	count := int(cfg.BytesMax / int64(cfg.BlockBytes))
	if file == nil {
		count = 0
	} else if err := file.Truncate(0); err != nil {
		return nil, fmt.Errorf("empty the cache file: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Cache{
		cfg: cfg, direct: Direct{store}, file: file, metrics: m, logger: logger,
		ctx: ctx, cancel: cancel, fills: make(chan struct{}, cfg.FillsMax),
		slots: newSlots(count), flights: map[blockID]*flight{},
	}, nil
}

// ReadRange implements Ranges: blocks on the local disk are read there, the others are filled, all
// at once. When ctx ends first, its error is returned and the fills go on.
func (c *Cache) ReadRange(ctx context.Context, o Object, dst []byte, off int64) error {
	if err := o.check(dst, off); err != nil || len(dst) == 0 {
		return err
	}
	blockBytes := int64(c.cfg.BlockBytes)
	first, last := off/blockBytes, (off+int64(len(dst))-1)/blockBytes
	var waits []wait
	var firstErr error
	for b := first; b <= last && firstErr == nil; b++ {
		part, at := cut(dst, off, b*blockBytes, blockBytes)
		f, err := c.readOrFill(ctx, o, b, part, at)
		if f != nil {
			waits = append(waits, wait{f, part, at})
		}
		firstErr = err
	}
	for _, w := range waits {
		if firstErr == nil {
			firstErr = w.take(ctx)
		}
	}
	return firstErr
}

// Forget drops what is kept of an object, so that it is got again: for whoever finds that its bytes
// were bad when they arrived.
func (c *Cache) Forget(key string) {
	c.mu.Lock()
	dropped := c.slots.forget(key)
	for id, f := range c.flights {
		if id.key == key {
			f.forgotten = true
			delete(c.flights, id)
		}
	}
	c.mu.Unlock()
	c.metrics.UsedBytes.Sub(float64(dropped))
}

// Close ends the fills, waits for them and closes the file.
func (c *Cache) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// wait is a part of a read that a flight will bring.
type wait struct {
	f    *flight
	part []byte
	at   int64 // where part begins in the block
}

func (w wait) take(ctx context.Context) error {
	select {
	case <-w.f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if w.f.err != nil {
		return w.f.err
	}
	copy(w.part, w.f.data[w.at:])
	return nil
}

// cut gives the part of dst, which begins at off of the object, that lies in the block that begins
// at base, and where the part begins in the block.
func cut(dst []byte, off, base, blockBytes int64) (part []byte, at int64) {
	from := max(off, base)
	to := min(off+int64(len(dst)), base+blockBytes)
	return dst[from-off : to-off], from - base
}

// readOrFill reads part from the local disk, or gives the flight that brings its block.
func (c *Cache) readOrFill(
	ctx context.Context, o Object, block int64, part []byte, at int64,
) (*flight, error) {
	id := blockID{o.Key, block}
	for {
		if c.readLocal(id, part, at) {
			c.metrics.Hits.Inc()
			return nil, nil
		}
		c.mu.Lock()
		f := c.flights[id]
		c.mu.Unlock()
		if f != nil {
			c.metrics.Joins.Inc()
			return f, nil
		}
		select {
		case c.fills <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, ErrClosed
		}
		if f, err := c.launch(o, id); f != nil || err != nil {
			return f, err
		}
	}
}

// launch starts the fill of a block unless another got there first. It owns a token of fills. No
// flight and no error mean that the block was kept in the meantime: read it locally.
func (c *Cache) launch(o Object, id blockID) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		<-c.fills
		return nil, ErrClosed
	}
	if f := c.flights[id]; f != nil {
		<-c.fills
		c.metrics.Joins.Inc()
		return f, nil
	}
	if _, kept := c.slots.byID[id]; kept {
		<-c.fills
		return nil, nil
	}
	f := &flight{done: make(chan struct{})}
	c.flights[id] = f
	c.metrics.Misses.Inc()
	c.wg.Go(func() { c.fill(o, id, f) })
	return f, nil
}

func (c *Cache) fill(o Object, id blockID, f *flight) {
	defer func() { <-c.fills }()
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.FillTimeout)
	defer cancel()
	base := id.block * int64(c.cfg.BlockBytes)
	data := make([]byte, min(int64(c.cfg.BlockBytes), o.Size-base))
	f.err = c.direct.ReadRange(ctx, o, data, base)
	if f.err == nil {
		f.data = data
		c.metrics.FillBytes.Add(float64(len(data)))
	} else {
		c.metrics.FillFailures.Inc()
	}
	close(f.done)
	if f.err == nil {
		c.store(id, f)
	}
	c.mu.Lock()
	if c.flights[id] == f {
		delete(c.flights, id)
	}
	c.mu.Unlock()
}

// store writes a block to the local disk. Until it is there the flight still serves readers.
func (c *Cache) store(id blockID, f *flight) {
	data := f.data
	c.mu.Lock()
	slot, evicted, ok := c.slots.take(id)
	c.mu.Unlock()
	if evicted > 0 {
		c.metrics.Evictions.Inc()
		c.metrics.UsedBytes.Sub(float64(evicted))
	}
	if !ok {
		return
	}
	sums := checksums(data)
	_, err := c.file.WriteAt(data, int64(slot)*int64(c.cfg.BlockBytes))
	c.mu.Lock()
	keep := err == nil && !f.forgotten
	if keep {
		keep = c.slots.publish(slot, len(data), sums)
	}
	if !keep {
		c.slots.abandon(slot)
	}
	c.mu.Unlock()
	if err != nil {
		c.metrics.DiskFailures.Inc()
		c.logger.Warn("cache block not kept", "object", id.key, "err", err)
		return
	}
	if keep {
		c.metrics.UsedBytes.Add(float64(len(data)))
	}
}

// readLocal fills part from a kept block and reports whether it could.
func (c *Cache) readLocal(id blockID, part []byte, at int64) bool {
	c.mu.Lock()
	slot, length, sums, ok := c.slots.pin(id)
	c.mu.Unlock()
	if !ok {
		return false
	}
	err := c.readPages(slot, length, sums, part, at)
	c.mu.Lock()
	dropped := c.slots.unpin(slot, err != nil)
	c.mu.Unlock()
	c.metrics.UsedBytes.Sub(float64(dropped))
	if err == nil {
		return true
	}
	if errors.Is(err, objstore.ErrChecksum) {
		c.metrics.CorruptPages.Inc()
	} else {
		c.metrics.DiskFailures.Inc()
	}
	c.logger.Warn("cache block dropped", "object", id.key, "err", err)
	return false
}

// readPages reads the pages that hold part, checks them, and copies part out.
func (c *Cache) readPages(slot, length int, sums []uint32, part []byte, at int64) error {
	from := at / pageBytes * pageBytes
	to := min((at+int64(len(part))+pageBytes-1)/pageBytes*pageBytes, int64(length))
	buf := getBuffer(int(to - from))
	defer putBuffer(buf)
	pages := (*buf)[:to-from]
	base := int64(slot) * int64(c.cfg.BlockBytes)
	if _, err := c.file.ReadAt(pages, base+from); err != nil {
		return err
	}
	for i, p := from/pageBytes, pages; len(p) > 0; i++ {
		n := min(pageBytes, len(p))
		if crc32.Checksum(p[:n], castagnoli) != sums[i] {
			return fmt.Errorf("page %d of slot %d: %w", i, slot, objstore.ErrChecksum)
		}
		p = p[n:]
	}
	copy(part, pages[at-from:])
	return nil
}

func checksums(data []byte) []uint32 {
	sums := make([]uint32, 0, (len(data)+pageBytes-1)/pageBytes)
	for len(data) > 0 {
		n := min(pageBytes, len(data))
		sums = append(sums, crc32.Checksum(data[:n], castagnoli))
		data = data[n:]
	}
	return sums
}

var buffers sync.Pool

func getBuffer(size int) *[]byte {
	if b, ok := buffers.Get().(*[]byte); ok && cap(*b) >= size {
		return b
	}
	b := make([]byte, size)
	return &b
}

func putBuffer(b *[]byte) {
	*b = (*b)[:cap(*b)]
	buffers.Put(b)
}
