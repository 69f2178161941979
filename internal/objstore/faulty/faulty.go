package faulty

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// Store fails on demand and otherwise does what the wrapped store does. Make one with New.
type Store struct {
	inner objstore.Store

	mu     sync.Mutex
	rules  []*Rule
	byCall map[int]Fault
	calls  []Call
	random *rand.Rand
	chance float64
	late   []lateWrite
	listed map[string]objstore.Page // the first answer to each List
}

type lateWrite struct {
	key  string
	data []byte
	cond objstore.Condition
	due  int // number of the call before which it lands by itself; 0 is never
}

var _ objstore.Store = (*Store)(nil)

// LandAfter is how many further calls a late write of Random and FailCall waits before it lands.
const LandAfter = 3

// New wraps a store. It is quiet until rules are added.
func New(inner objstore.Store) *Store {
	return &Store{inner: inner, byCall: map[int]Fault{}, listed: map[string]objstore.Page{}}
}

// Add adds rules; the first that matches a call strikes.
func (s *Store) Add(rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range rules {
		s.rules = append(s.rules, &r)
	}
}

// FailCall makes the nth call of any operation, counted from 1 over the store's life, fail.
func (s *Store) FailCall(n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byCall[n] = f
}

// Random makes each call fail with a chance of 0..1, in a way drawn from Faults. The same seed and
// the same order of calls give the same faults. A chance of 0 ends it.
func (s *Store) Random(seed uint64, chance float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.random, s.chance = rand.New(rand.NewPCG(seed, seed)), chance
}

// Quiet forgets all rules, planned failures and random faults; late writes still land.
func (s *Store) Quiet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.byCall, s.random, s.chance = nil, map[int]Fault{}, nil, 0
}

// Calls gives the calls so far.
func (s *Store) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Land lets every late write reach the wrapped store now, in the order of their calls, and gives
// how many there were. Those whose condition fails by now are lost, as they would be in a real
// store.
func (s *Store) Land(ctx context.Context) int {
	s.mu.Lock()
	due := s.late
	s.late = nil
	s.mu.Unlock()
	s.land(ctx, due)
	return len(due)
}

func (s *Store) land(ctx context.Context, due []lateWrite) {
	for _, w := range due {
		_, _ = s.inner.Put(context.WithoutCancel(ctx), w.key, objstore.Bytes(w.data), w.cond)
	}
}

// begin records a call, decides its fault, and waits its delay.
func (s *Store) begin(
	ctx context.Context, op Op, key string, cond objstore.Condition,
) (Call, error) {
	s.mu.Lock()
	c := Call{N: len(s.calls) + 1, Op: op, Key: key, Cond: cond}
	var delay time.Duration
	c.Fault, delay = s.decide(c)
	s.calls = append(s.calls, c)
	var due, waiting []lateWrite
	for _, w := range s.late {
		if w.due != 0 && w.due <= c.N {
			due = append(due, w)
		} else {
			waiting = append(waiting, w)
		}
	}
	s.late = waiting
	s.mu.Unlock()
	s.land(ctx, due)
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return c, ctx.Err()
		}
	}
	return c, nil
}

// decide gives the fault of a call, under the mutex.
func (s *Store) decide(c Call) (Fault, time.Duration) {
	if f, ok := s.byCall[c.N]; ok {
		return f, 0
	}
	for _, r := range s.rules {
		if r.strike(c.Op, c.Key) {
			return r.Fault, r.Delay
		}
	}
	if s.random != nil && s.random.Float64() < s.chance {
		ways := Faults(c.Op, !c.Cond.Always())
		return ways[s.random.IntN(len(ways))], 0
	}
	return None, 0
}

// Put implements objstore.Store.
func (s *Store) Put(
	ctx context.Context, key string, body objstore.Body, cond objstore.Condition,
) (objstore.Info, error) {
	c, err := s.begin(ctx, Put, key, cond)
	if err != nil {
		return objstore.Info{}, err
	}
	switch c.Fault {
	case Unavailable, Busy, Conflict, ResetBefore:
		return objstore.Info{}, c.fail()
	case ConflictAfterSuccess, ResetAfter:
		if _, err := s.inner.Put(ctx, key, body, cond); err != nil && c.Fault == ConflictAfterSuccess {
			return objstore.Info{}, err
		}
		return objstore.Info{}, c.fail()
	case Late:
		if err := s.postpone(c, body); err != nil {
			return objstore.Info{}, err
		}
		return objstore.Info{}, c.fail()
	default:
		return s.inner.Put(ctx, key, body, cond)
	}
}

// postpone keeps a copy of a write, as its body belongs to the caller.
func (s *Store) postpone(c Call, body objstore.Body) error {
	data := make([]byte, body.Size)
	if _, err := io.ReadFull(io.NewSectionReader(body.Reader, 0, body.Size), data); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w := lateWrite{key: c.Key, data: data, cond: c.Cond}
	if _, planned := s.byCall[c.N]; planned || s.random != nil {
		w.due = c.N + LandAfter
	}
	s.late = append(s.late, w)
	return nil
}

// Get implements objstore.Store.
func (s *Store) Get(
	ctx context.Context, key string, r objstore.Range,
) (io.ReadCloser, objstore.Info, error) {
	c, err := s.begin(ctx, Get, key, objstore.Condition{})
	if err != nil {
		return nil, objstore.Info{}, err
	}
	if c.Fault == Unavailable || c.Fault == ResetBefore || c.Fault == ResetAfter {
		return nil, objstore.Info{}, c.fail()
	}
	rc, info, err := s.inner.Get(ctx, key, r)
	if err != nil || c.Fault != Truncated && c.Fault != Corrupt {
		return rc, info, err
	}
	data, err := io.ReadAll(rc)
	if err = errors.Join(err, rc.Close()); err != nil {
		return nil, objstore.Info{}, err
	}
	if c.Fault == Corrupt {
		data = bytes.Clone(data)
		if len(data) > 0 {
			data[len(data)/2] ^= 0x10
		}
		return io.NopCloser(bytes.NewReader(data)), info, nil
	}
	broken := io.MultiReader(bytes.NewReader(data[:len(data)/2]), failing{io.ErrUnexpectedEOF})
	return io.NopCloser(broken), info, nil
}

// Head implements objstore.Store.
func (s *Store) Head(ctx context.Context, key string) (objstore.Info, error) {
	c, err := s.begin(ctx, Head, key, objstore.Condition{})
	if err != nil {
		return objstore.Info{}, err
	}
	if c.Fault != None {
		return objstore.Info{}, c.fail()
	}
	return s.inner.Head(ctx, key)
}

// List implements objstore.Store.
func (s *Store) List(
	ctx context.Context, prefix, after string, limit int,
) (objstore.Page, error) {
	c, err := s.begin(ctx, List, prefix, objstore.Condition{})
	if err != nil {
		return objstore.Page{}, err
	}
	if c.Fault != None && c.Fault != Stale {
		return objstore.Page{}, c.fail()
	}
	page, err := s.inner.List(ctx, prefix, after, limit)
	if err != nil {
		return page, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	request := prefix + "\x00" + after
	first, known := s.listed[request]
	if !known {
		s.listed[request] = page
	}
	if known && c.Fault == Stale {
		return objstore.Page{Objects: slices.Clone(first.Objects), More: first.More}, nil
	}
	return page, nil
}

// Delete implements objstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	c, err := s.begin(ctx, Delete, key, objstore.Condition{})
	if err != nil {
		return err
	}
	switch c.Fault {
	case None:
		return s.inner.Delete(ctx, key)
	case ResetAfter:
		_ = s.inner.Delete(ctx, key)
	}
	return c.fail()
}

// URL implements objstore.Store.
func (s *Store) URL() string { return s.inner.URL() }

// Close implements objstore.Store.
func (s *Store) Close() error { return s.inner.Close() }

type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }
