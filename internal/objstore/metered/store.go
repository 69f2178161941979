package metered

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/varve-log/varve/internal/objstore"
)

// Store counts and passes on. Make one with New.
type Store struct {
	inner                        objstore.Store
	m                            *Metrics
	put, get, head, list, delete op
	in, out                      prometheus.Counter
}

// op counts one operation, also for Counts.
type op struct {
	name    string
	calls   atomic.Int64
	seconds prometheus.Observer
}

var _ objstore.Store = (*Store)(nil)

// New wraps a store.
func New(inner objstore.Store, m *Metrics) *Store {
	s := &Store{inner: inner, m: m}
	for name, o := range map[string]*op{
		"put": &s.put, "get": &s.get, "head": &s.head, "list": &s.list, "delete": &s.delete,
	} {
		o.name, o.seconds = name, m.Seconds.WithLabelValues(name)
	}
	s.in = m.Bytes.WithLabelValues("get", "in")
	s.out = m.Bytes.WithLabelValues("put", "out")
	return s
}

// Counts is how many calls were made of each operation.
type Counts struct{ Put, Get, Head, List, Delete int64 }

// Counts gives the calls so far.
func (s *Store) Counts() Counts {
	return Counts{
		Put: s.put.calls.Load(), Get: s.get.calls.Load(), Head: s.head.calls.Load(),
		List: s.list.calls.Load(), Delete: s.delete.calls.Load(),
	}
}

// Sub gives the calls since an earlier Counts.
func (c Counts) Sub(earlier Counts) Counts {
	return Counts{
		Put: c.Put - earlier.Put, Get: c.Get - earlier.Get, Head: c.Head - earlier.Head,
		List: c.List - earlier.List, Delete: c.Delete - earlier.Delete,
	}
}

// Total gives the sum over all operations.
func (c Counts) Total() int64 { return c.Put + c.Get + c.Head + c.List + c.Delete }

func (s *Store) done(o *op, begun time.Time, err error) {
	o.calls.Add(1)
	o.seconds.Observe(time.Since(begun).Seconds())
	s.m.Requests.WithLabelValues(o.name, outcome(err)).Inc()
}

// Put implements objstore.Store.
func (s *Store) Put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	begun := time.Now()
	info, err := s.inner.Put(ctx, key, body, cond)
	s.done(&s.put, begun, err)
	if err == nil {
		s.out.Add(float64(body.Size))
	}
	return info, err
}

// Get implements objstore.Store.
func (s *Store) Get(
	ctx context.Context, key string, r objstore.Range,
) (io.ReadCloser, objstore.Info, error) {
	begun := time.Now()
	rc, info, err := s.inner.Get(ctx, key, r)
	s.done(&s.get, begun, err)
	if err != nil {
		return nil, info, err
	}
	return &body{ReadCloser: rc, in: s.in}, info, nil
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	begun := time.Now()
	info, err := s.inner.Head(ctx, key)
	s.done(&s.head, begun, err)
	return info, err
}

// List implements objstore.Store.
func (s *Store) List(
	ctx context.Context, prefix, after string, limit int,
) (objstore.Page, error) {
	begun := time.Now()
	page, err := s.inner.List(ctx, prefix, after, limit)
	s.done(&s.list, begun, err)
	return page, err
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	begun := time.Now()
	err := s.inner.Delete(ctx, key)
	s.done(&s.delete, begun, err)
	return err
}

// URL implements objstore.Store.
func (s *Store) URL() string { return s.inner.URL() }

// Close implements objstore.Store.
func (s *Store) Close() error { return s.inner.Close() }

// body counts what is read of it, once at its end.
type body struct {
	io.ReadCloser
	in   prometheus.Counter
	read int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.in.Add(float64(b.read))
	b.read = 0
	return b.ReadCloser.Close()
}
