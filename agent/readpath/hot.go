package readpath

import (
	"errors"
	"fmt"
	"sync"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

const (
	smallBufferBytes = 64 << 10
	largeBufferBytes = 1 << 20
)

var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallBufferBytes); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, largeBufferBytes); return &b }}
)

// buffer gives memory of at least n bytes and what returns it. Larger than a large buffer is not
// pooled: one batch is rarely so large.
func buffer(n int) ([]byte, func()) {
	pool := &smallBuffers
	switch {
	case n > largeBufferBytes:
		return make([]byte, n), func() {}
	case n > smallBufferBytes:
		pool = &largeBuffers
	}
	b := pool.Get().(*[]byte)
	return *b, func() { pool.Put(b) }
}

// FetchHot is Fetch from local disk alone: hotlog.ErrBelowLocalStart says that the bucket has to be
// asked. A fetch near the end of the log costs one small buffer; a longer one goes on in large
// ones.
func (r *Reader) FetchHot(src Source, req Request) (Data, error) {
	start, end := src.Hot.LogStartOffset(), src.Hot.LogEndOffset()
	if req.From < start || req.From > end {
		return Data{}, fmt.Errorf("%w: offset %d, log is [%d,%d)",
			ErrOffsetOutOfRange, req.From, start, end)
	}
	d := Data{Next: req.From}
	left := req.BytesMax
	size := smallBufferBytes
	for d.Next < req.Until && left > 0 || d.Next == req.From && req.MinOne && len(d.Records) == 0 {
		n, err := r.hotPart(src, req, &d, min(size, max(left, 0)))
		if err != nil {
			d.Release()
			return Data{}, err
		}
		if n == 0 {
			break
		}
		left -= n
		size = largeBufferBytes
	}
	r.metrics.hotFetches.Inc()
	r.metrics.hotBytes.Add(float64(req.BytesMax - left))
	return d, nil
}

// hotPart reads one more part of at most limit bytes into d; the first batch may be larger where
// MinOne wants it or the request has room.
func (r *Reader) hotPart(src Source, req Request, d *Data, limit int) (int, error) {
	b, free := buffer(limit)
	n, err := src.Hot.Read(b[:limit], d.Next, req.Until)
	var short *hotlog.ShortBufferError
	if errors.As(err, &short) {
		free()
		room := req.BytesMax - d.Bytes()
		if short.Need > room && (!req.MinOne || len(d.Records) > 0) {
			return 0, nil
		}
		b, free = buffer(short.Need)
		n, err = src.Hot.Read(b[:short.Need], d.Next, req.Until)
	}
	if err == nil && n > 0 {
		d.Records = append(d.Records, b[:n])
		d.free = append(d.free, free)
		d.Next, err = nextOffset(b[:n])
		return n, err
	}
	free()
	switch {
	case err == nil:
		return 0, nil
	case len(d.Records) > 0: // what was read so far is an answer
		return 0, nil
	case errors.Is(err, hotlog.ErrOffsetOutOfRange):
		return 0, fmt.Errorf("%w: offset %d, log is [%d,%d)", ErrOffsetOutOfRange, d.Next,
			src.Hot.LogStartOffset(), src.Hot.LogEndOffset())
	default:
		return 0, err
	}
}

// nextOffset is where whole batches end.
func nextOffset(data []byte) (next kafka.Offset, err error) {
	for len(data) > 0 {
		b, rest, err := record.Next(data)
		if err != nil {
			return 0, fmt.Errorf("walk batches: %w", err)
		}
		next, data = b.NextOffset(), rest
	}
	return next, nil
}
