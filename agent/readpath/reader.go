package readpath

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

// Hot is what the read path asks of a hot log; *hotlog.Log implements it.
type Hot interface {
	// Read is hotlog.Log's.
	Read(dst []byte, from, until kafka.Offset) (int, error)
	LocalLogStartOffset() kafka.Offset
	LogStartOffset() kafka.Offset
	LogEndOffset() kafka.Offset
	// OffsetForTime finds the first local record at or after a time.
	OffsetForTime(ts kafka.Timestamp) (kafka.Offset, kafka.Timestamp, bool, error)
}

var _ Hot = (*hotlog.Log)(nil)

// Source is one partition's two tiers.
type Source struct {
	Hot      Hot
	Manifest replay.Manifest
}

// Request is what to read.
type Request struct {
	// From is the first offset wanted; the batch that contains it is returned whole.
	From kafka.Offset
	// Until is exclusive: the high watermark, or the last stable offset. Only batches wholly below it
	// are returned.
	Until kafka.Offset
	// BytesMax bounds the answer, but for MinOne.
	BytesMax int
	// MinOne returns the first batch even when it is larger than BytesMax.
	MinOne bool
}

// Data is an answer. Release must be called once, when Records are not needed any more.
type Data struct {
	// Records are whole batches in offset order. They must not be changed.
	Records [][]byte
	// Next is the offset to go on at: Request.From when Records are empty.
	Next kafka.Offset
	// Cold tells that the records came from the bucket.
	Cold bool
	// Aborted lists, for a cold answer, the aborted transactions that intersect it.
	Aborted []segment.AbortedTxn

	free []func()
}

// Release gives the memory back.
func (d *Data) Release() {
	for _, f := range d.free {
		f()
	}
	d.free, d.Records = nil, nil
}

// Bytes is the size of the answer.
func (d *Data) Bytes() int {
	n := 0
	for _, r := range d.Records {
		n += len(r)
	}
	return n
}

// Parts are what a Reader is made of. All but Registerer are required.
type Parts struct {
	// Replay streams segments for sequential readers.
	Replay *replay.Reader
	// Ranges serves the others, usually a *cache.Cache.
	Ranges cache.Ranges
	// Store is asked past Ranges when they give corrupt bytes.
	Store   objstore.Store
	Footers *cache.Footers
	// Registerer gets the metrics; nil keeps them private.
	Registerer prometheus.Registerer
}

// Reader answers fetches of all partitions of an agent. Make one with New.
type Reader struct {
	cfg     Config
	parts   Parts
	metrics *metrics

	fetches *semaphore.Weighted
	bytes   *semaphore.Weighted

	mu      sync.Mutex
	cursors cursors
	closed  bool
}

// New makes a Reader.
func New(cfg Config, p Parts) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Reader{
		cfg: cfg, parts: p, metrics: newMetrics(p.Registerer),
		fetches: semaphore.NewWeighted(int64(cfg.ColdFetchesMax)),
		bytes:   semaphore.NewWeighted(cfg.ColdBytesMax),
		cursors: newCursors(),
	}, nil
}

// Fetch reads whole batches from the one that contains r.From, wherever they lie. Empty Records
// mean that r.Until is reached, or that the first batch is larger than r.BytesMax and r.MinOne is
// not set. An answer may end early, at a seam or the border of a segment. Errors:
// ErrOffsetOutOfRange, ErrCorrupt, ErrMissing, ErrClosed, those of local disk and of the store, and
// ctx's.
func (r *Reader) Fetch(ctx context.Context, src Source, req Request) (Data, error) {
	var moved error
	for range seamTriesMax {
		d, err := r.FetchHot(src, req)
		if !errors.Is(err, hotlog.ErrBelowLocalStart) {
			return d, err
		}
		d, err = r.fetchCold(ctx, src, req)
		if !errors.Is(err, errMoved) {
			return d, err
		}
		moved = err
	}
	return Data{}, fmt.Errorf("%w: offset %d of %s is not found on either tier: %w",
		ErrMissing, req.From, src.Manifest.TP(), moved)
}

// seamTriesMax bounds how often a fetch follows records from one tier to the other and back.
const seamTriesMax = 8

// errMoved: the records went to the other tier, or the manifest changed; look again.
var errMoved = errors.New("records moved")

// IsCold tells that a fetch at an offset would have to wait for the bucket.
func (r *Reader) IsCold(src Source, from kafka.Offset) bool {
	return from < src.Hot.LocalLogStartOffset() && from >= src.Hot.LogStartOffset()
}

// Close ends reading ahead. Fetches after it are ErrClosed if they are cold.
func (r *Reader) Close() {
	r.mu.Lock()
	r.closed = true
	all := r.cursors.takeAll()
	r.mu.Unlock()
	for _, c := range all {
		c.close()
	}
}
