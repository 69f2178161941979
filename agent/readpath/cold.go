package readpath

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

// fetchCold answers from the bucket, within the budget for cold reads.
func (r *Reader) fetchCold(ctx context.Context, src Source, req Request) (Data, error) {
	head, ok := src.Manifest.Head()
	if !ok {
		return Data{}, r.reload(ctx, src)
	}
	start := max(src.Hot.LogStartOffset(), head.LogStartOffset)
	if req.From < start {
		return Data{}, fmt.Errorf("%w: offset %d, log starts at %d", ErrOffsetOutOfRange, req.From, start)
	}
	req.Until = min(req.Until, head.SealedEnd())
	if req.From >= req.Until {
		return Data{}, r.reload(ctx, src)
	}
	if err := r.fetches.Acquire(ctx, 1); err != nil {
		return Data{}, err
	}
	defer r.fetches.Release(1)
	weight := min(int64(max(req.BytesMax, 1)), r.cfg.ColdBytesMax)
	if err := r.bytes.Acquire(ctx, weight); err != nil {
		return Data{}, err
	}
	d, err := r.coldData(ctx, src, req)
	if err != nil || len(d.Records) == 0 {
		r.bytes.Release(weight)
		d.Release()
		return Data{Next: req.From, Cold: true}, err
	}
	d.Cold = true
	d.free = append(d.free, func() { r.bytes.Release(weight) })
	r.metrics.coldFetches.Inc()
	r.metrics.coldBytes.Add(float64(d.Bytes()))
	return d, nil
}

// coldData reads by a cursor where the fetch goes on where another ended, else by the cache.
func (r *Reader) coldData(ctx context.Context, src Source, req Request) (Data, error) {
	c, err := r.takeCursor(ctx, src, req)
	if err != nil {
		return Data{}, err
	}
	if c == nil {
		d, err := r.random(ctx, src, req)
		if err == nil && len(d.Records) > 0 {
			r.mark(src.Manifest.TP(), d.Next)
		}
		return d, err
	}
	d, err := c.read(ctx, req)
	r.putCursor(c, err)
	if err != nil && len(d.Records) == 0 {
		return d, r.classify(src, err)
	}
	if len(d.Records) == 0 && c.ended && c.next < req.Until {
		return d, errMoved
	}
	return d, nil
}

// reload reads the head again when it does not hold what the hot log does not hold either; errMoved
// unless that fails.
func (r *Reader) reload(ctx context.Context, src Source) error {
	if _, err := src.Manifest.Load(ctx); err != nil {
		return fmt.Errorf("read manifest of %s again: %w", src.Manifest.TP(), err)
	}
	return errMoved
}

// classify gives errors of replay the names of this package.
func (r *Reader) classify(src Source, err error) error {
	switch {
	case errors.Is(err, replay.ErrCorrupt):
		r.metrics.corrupt.Inc()
		return fmt.Errorf("%s: %w: %w", src.Manifest.TP(), ErrCorrupt, err)
	case errors.Is(err, replay.ErrMissing):
		return fmt.Errorf("%s: %w: %w", src.Manifest.TP(), ErrMissing, err)
	}
	return err
}

// random reads the blocks around one offset through the cache.
func (r *Reader) random(ctx context.Context, src Source, req Request) (Data, error) {
	e, ok, err := src.Manifest.Find(ctx, req.From)
	if err != nil {
		return Data{}, fmt.Errorf("find offset %d of %s: %w", req.From, src.Manifest.TP(), err)
	}
	if !ok || e.BaseOffset > req.From {
		return Data{}, r.reload(ctx, src)
	}
	s := slice{r: r, entry: e, object: cache.Object{Key: e.Key(src.Manifest.TP()), Size: e.Bytes}}
	d, err := s.read(ctx, req)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return Data{}, fmt.Errorf("object %s, offsets %s: %w: %w", s.object.Key, e.Range(), err,
			r.reload(ctx, src))
	case errors.Is(err, segment.ErrCorrupt):
		r.metrics.corrupt.Inc()
		return Data{}, fmt.Errorf("object %s, offsets %s: %w: %w", s.object.Key, e.Range(),
			ErrCorrupt, err)
	}
	return d, err
}

// randomBytesMax bounds what a fetch without a cursor asks for, but for one larger batch. With the
// blocks around it that fits into a large buffer.
const randomBytesMax = 512 << 10

// slice is a read of a part of one segment.
type slice struct {
	r      *Reader
	entry  manifest.Entry
	object cache.Object
	footer *segment.Footer
}

func (s *slice) read(ctx context.Context, req Request) (Data, error) {
	var err error
	s.footer, err = s.r.parts.Footers.Get(ctx, s.object, s.entry.FooterBytes)
	if err != nil {
		return Data{}, err
	}
	position := s.footer.Lookup(req.From)
	want := int64(min(max(req.BytesMax, 1), randomBytesMax))
	for {
		d, need, err := s.readAt(ctx, req, position, want)
		if err != nil || need == 0 {
			return d, err
		}
		want = need
	}
}

// readAt reads at least want bytes from a batch at position on, cut to whole blocks. need, if not
// 0, is how many bytes it takes to return anything.
func (s *slice) readAt(
	ctx context.Context, req Request, position, want int64,
) (d Data, need int64, err error) {
	block := s.footer.BlockBytes()
	from := position - position%block
	to := min((position+want+block-1)/block*block, s.entry.DataBytes)
	b, free := buffer(int(to - from))
	b = b[:to-from]
	if err := s.verified(ctx, b, from); err != nil {
		free()
		return Data{}, 0, err
	}
	got, need, err := cut(b[position-from:], req)
	if err != nil || len(got.records) == 0 {
		free()
		if need > s.entry.DataBytes-position {
			err = fmt.Errorf("batch of %d bytes at %d: %w", need, position, segment.ErrCorrupt)
		}
		return Data{Next: req.From}, need, err
	}
	return Data{
		Records: [][]byte{got.records}, Next: got.next, free: []func(){free},
		Aborted: abortedIn(s.footer, kafka.OffsetRange{Base: req.From, Next: got.next}),
	}, 0, nil
}

// verified reads whole blocks and checks them; when they are bad, once more past the cache, whose
// copy may be what is bad.
func (s *slice) verified(ctx context.Context, b []byte, from int64) error {
	if err := s.r.parts.Ranges.ReadRange(ctx, s.object, b, from); err != nil {
		return err
	}
	err := s.footer.VerifyBlocks(from, b)
	if err == nil {
		return nil
	}
	if f, ok := s.r.parts.Ranges.(interface{ Forget(key string) }); ok {
		f.Forget(s.object.Key)
	}
	direct := cache.Direct{Store: s.r.parts.Store}
	if err := direct.ReadRange(ctx, s.object, b, from); err != nil {
		return err
	}
	return s.footer.VerifyBlocks(from, b)
}

// whole is what cut found: batches from the one that holds the offset asked for.
type whole struct {
	records []byte
	rest    []byte // behind them
	next    kafka.Offset
}

// cut finds the batches to return in data, which begins with a batch at or below req.From. need is
// the size that data must have for the first of them, where it has not.
func cut(data []byte, req Request) (w whole, need int64, err error) {
	begin, at := 0, 0
	w.next = req.From
	for at < len(data) {
		b, _, err := record.Next(data[at:])
		if errors.Is(err, record.ErrTruncated) {
			if begin == at { // nothing yet
				need = int64(at) + batchBytes(data[at:])
			}
			break
		}
		if err != nil {
			return whole{}, 0, fmt.Errorf("%w: %w", segment.ErrCorrupt, err)
		}
		size := b.Size()
		if b.NextOffset() <= req.From {
			at += size
			begin = at
			continue
		}
		first := begin == at
		if b.NextOffset() > req.Until || at+size-begin > req.BytesMax && (!first || !req.MinOne) {
			break
		}
		at += size
		w.next = b.NextOffset()
	}
	w.records, w.rest = data[begin:at], data[at:]
	if len(w.records) > 0 {
		need = 0
	}
	return w, need, nil
}

// batchBytes is the size of a batch whose beginning is in data, or the least one can have.
func batchBytes(data []byte) int64 {
	const lengthEnd = 12 // base offset, then the length of what follows
	if len(data) < lengthEnd {
		return record.HeaderSize
	}
	length := int64(data[8])<<24 | int64(data[9])<<16 | int64(data[10])<<8 | int64(data[11])
	return lengthEnd + length
}

func abortedIn(f *segment.Footer, r kafka.OffsetRange) []segment.AbortedTxn {
	var within []segment.AbortedTxn
	for _, a := range f.Aborted() {
		if a.FirstOffset < r.Next && a.LastOffset >= r.Base {
			within = append(within, a)
		}
	}
	return within
}
