package remote

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// operation names what is tried, for errors and for the verdict on failures.
type operation struct {
	name string
	key  string
	cond objstore.Condition
	body *source
}

// try runs attempts of an operation until one succeeds or the verdict on its failure is final.
func (s *Store) try(
	ctx context.Context, op operation, attempt func(context.Context) error,
) error {
	for n := 1; ; n++ {
		var sent atomic.Bool
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteHeaders: func() { sent.Store(true) },
		})
		err := attempt(traced)
		if err == nil {
			return nil
		}
		if op.body != nil && op.body.failed() != nil {
			// the store got less than it was promised, so it wrote nothing
			return verdict{}.wrap(op.name, op.key, op.body.failed())
		}
		v := judge(err, s.client.Explain(err), call{sent: sent.Load(), cond: op.cond})
		if !v.retry || n >= s.cfg.AttemptsMax || ctx.Err() != nil {
			return v.wrap(op.name, op.key, err)
		}
		if cerr := s.backoff(ctx, n); cerr != nil {
			return v.wrap(op.name, op.key, err)
		}
	}
}

// backoff waits before attempt n+1: exponential, capped, full jitter.
func (s *Store) backoff(ctx context.Context, n int) error {
	limit := s.cfg.BackoffMin << min(n-1, 20)
	wait := time.Duration(rand.Int64N(int64(min(limit, s.cfg.BackoffMax)) + 1))
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// source remembers that the caller's body could not be read, which no retry mends.
type source struct {
	r    io.ReaderAt
	size int64
	err  atomic.Pointer[error]
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.r.ReadAt(p, off)
	if n < len(p) && off+int64(n) < s.size {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		s.err.CompareAndSwap(nil, &err)
	}
	return n, err
}

func (s *source) failed() error {
	if p := s.err.Load(); p != nil {
		return *p
	}
	return nil
}
