package cache

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/segment"
)

// FooterConfig bounds Footers.
type FooterConfig struct {
	// BytesMax bounds the footers kept, counted by their size in the objects. Default 64 MiB.
	BytesMax int64
	// FillTimeout bounds the GET of one footer. Default one minute.
	FillTimeout time.Duration
}

// DefaultFooterConfig is right for an agent and for a command.
func DefaultFooterConfig() FooterConfig {
	return FooterConfig{BytesMax: 64 << 20, FillTimeout: time.Minute}
}

// Footers keeps parsed footers in memory, the least recently used going first. Make one with
// NewFooters.
type Footers struct {
	cfg     FooterConfig
	direct  Direct
	metrics *Metrics

	ctx    context.Context // of the fills; ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	byKey   map[string]*list.Element // of *footerEntry
	recent  list.List                // newest in front
	bytes   int64
	flights map[string]*footerFlight
}

type footerEntry struct {
	key    string
	bytes  int64
	footer *segment.Footer
}

type footerFlight struct {
	done   chan struct{}
	footer *segment.Footer
	err    error
}

// NewFooters makes an empty cache of footers of store's objects. Metrics may be nil.
func NewFooters(store objstore.Store, cfg FooterConfig, m *Metrics) *Footers {
	if m == nil {
		m = NewMetrics(nil)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Footers{
		cfg: cfg, direct: Direct{store}, metrics: m, ctx: ctx, cancel: cancel,
		byKey: map[string]*list.Element{}, flights: map[string]*footerFlight{},
	}
}

// Get gives an object's footer, whose size the manifest tells, by one GET however many ask, and a
// second one where the bytes of the first are bad: they may have been so on the way only. When ctx ends
// its error is returned and the footer still arrives. Errors: those of the store, and
// segment.ErrCorrupt for a footer that cannot be parsed.
func (f *Footers) Get(
	ctx context.Context, o Object, footerBytes int64,
) (*segment.Footer, error) {
	f.mu.Lock()
	if e, ok := f.byKey[o.Key]; ok {
		f.recent.MoveToFront(e)
		f.mu.Unlock()
		f.metrics.FooterHits.Inc()
		return e.Value.(*footerEntry).footer, nil
	}
	if f.closed {
		f.mu.Unlock()
		return nil, ErrClosed
	}
	flight, ok := f.flights[o.Key]
	if !ok {
		flight = &footerFlight{done: make(chan struct{})}
		f.flights[o.Key] = flight
		f.metrics.FooterMisses.Inc()
		f.wg.Go(func() { f.fill(o, footerBytes, flight) })
	}
	f.mu.Unlock()
	select {
	case <-flight.done:
		return flight.footer, flight.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends the fills and waits for them.
func (f *Footers) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.wg.Wait()
}

func (f *Footers) fill(o Object, footerBytes int64, flight *footerFlight) {
	ctx, cancel := context.WithTimeout(f.ctx, f.cfg.FillTimeout)
	defer cancel()
	flight.footer, flight.err = f.read(ctx, o, footerBytes)
	f.mu.Lock()
	delete(f.flights, o.Key)
	if flight.err == nil {
		f.add(&footerEntry{o.Key, footerBytes, flight.footer})
	}
	f.metrics.FooterBytes.Set(float64(f.bytes))
	f.mu.Unlock()
	close(flight.done)
}

func (f *Footers) read(
	ctx context.Context, o Object, footerBytes int64,
) (*segment.Footer, error) {
	if footerBytes <= 0 || footerBytes > o.Size {
		return nil, fmt.Errorf("footer of %s: manifest tells %d of %d bytes: %w",
			o.Key, footerBytes, o.Size, segment.ErrCorrupt)
	}
	footer, err := f.readOnce(ctx, o, footerBytes)
	if errors.Is(err, segment.ErrCorrupt) {
		return f.readOnce(ctx, o, footerBytes)
	}
	return footer, err
}

func (f *Footers) readOnce(
	ctx context.Context, o Object, footerBytes int64,
) (*segment.Footer, error) {
	tail := make([]byte, footerBytes)
	if err := f.direct.ReadRange(ctx, o, tail, o.Size-footerBytes); err != nil {
		return nil, err
	}
	return ParseFooter(tail, o)
}

// add keeps a footer and lets go of the least recently used. f.mu is held.
func (f *Footers) add(e *footerEntry) {
	f.byKey[e.key] = f.recent.PushFront(e)
	f.bytes += e.bytes
	for f.bytes > f.cfg.BytesMax && f.recent.Len() > 1 {
		last := f.recent.Back()
		old := f.recent.Remove(last).(*footerEntry)
		delete(f.byKey, old.key)
		f.bytes -= old.bytes
		f.metrics.FooterEvicted.Inc()
	}
}

// ParseFooter parses the whole footer of an object. A footer that does not fit the object's size as
// the manifest tells it is segment.ErrCorrupt.
func ParseFooter(tail []byte, o Object) (*segment.Footer, error) {
	footer, need, err := segment.ParseFooter(tail, o.Size)
	if err != nil {
		return nil, fmt.Errorf("footer of %s: %w", o.Key, err)
	}
	if need > 0 {
		return nil, fmt.Errorf("footer of %s: it has %d bytes, the manifest tells %d: %w",
			o.Key, need, len(tail), segment.ErrCorrupt)
	}
	return footer, nil
}
