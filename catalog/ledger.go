package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/varve-log/varve/catalog/checkpoint"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/catalog/register"
	"github.com/varve-log/varve/internal/objstore"
)

// ledgers are those that were asked for, one for each name.
type ledgers struct {
	store    objstore.Store
	opts     Options
	readOnly bool

	mu    sync.Mutex
	byRef map[checkpoint.Ref]*Ledger
}

func newLedgers(s objstore.Store, o Options, readOnly bool) *ledgers {
	return &ledgers{store: s, opts: o, readOnly: readOnly, byRef: map[checkpoint.Ref]*Ledger{}}
}

func (ls *ledgers) get(ref checkpoint.Ref) *Ledger {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l, ok := ls.byRef[ref]
	if !ok {
		l = ls.open(ref)
		ls.byRef[ref] = l
	}
	return l
}

func (ls *ledgers) open(ref checkpoint.Ref) *Ledger {
	return &Ledger{
		of: ls, ref: ref, editing: make(chan struct{}, 1),
		reg: register.New(ls.store, ref.HeadKey(), ls.opts.Register),
	}
}

// Ledger is a ledger of checkpoints. The same one is given for the same name each time.
func (c *Catalog) Ledger(ref checkpoint.Ref) *Ledger { return c.ledgers.get(ref) }

// Ledger gives a ledger, read-only: its Edit is ErrReadOnly. Each call gives another one.
func (r *Reader) Ledger(ref checkpoint.Ref) *Ledger { return r.ledgers.open(ref) }

// Ledger is one agent's head that names the checkpoints of some partitions, loaded when first
// needed.
type Ledger struct {
	of  *ledgers
	ref checkpoint.Ref
	reg *register.Register

	editing chan struct{} // held by the one edit under way

	mu     sync.Mutex // guards all below
	loaded bool
	ledger checkpoint.Ledger
	at     register.Head // zero while the bucket has no head
}

// Ref names the ledger.
func (l *Ledger) Ref() checkpoint.Ref { return l.ref }

// Load reads the head, one GET, and gives it; false where the bucket has none: then it is empty.
func (l *Ledger) Load(ctx context.Context) (_ checkpoint.Ledger, exists bool, err error) {
	at, err := l.reg.Read(ctx)
	seen := l.known()
	switch {
	case errors.Is(err, register.ErrNotFound) && seen > 0:
		return checkpoint.Ledger{}, false, fmt.Errorf("load checkpoint ledger: %w: it is gone",
			ErrRolledBack)
	case errors.Is(err, register.ErrNotFound):
		return l.took(register.Head{}, checkpoint.New(l.ref)), false, nil
	case err != nil:
		return checkpoint.Ledger{}, false, fmt.Errorf("load checkpoint ledger: %w", err)
	case at.Version < seen:
		return checkpoint.Ledger{}, false, fmt.Errorf("load checkpoint ledger: %w: version %d after %d",
			ErrRolledBack, at.Version, seen)
	case at.Body == nil:
		return l.took(at, checkpoint.New(l.ref)), true, nil
	}
	v, err := l.decode(at)
	if err != nil {
		return checkpoint.Ledger{}, false, err
	}
	return l.took(at, v), true, nil
}

func (l *Ledger) known() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at.Version
}

func (l *Ledger) decode(at register.Head) (checkpoint.Ledger, error) {
	v, err := checkpoint.Decode(at.Body)
	if err == nil && v.Ref != l.ref {
		err = fmt.Errorf("%w: it is ledger %d of agent %d", checkpoint.ErrCorrupt, v.Number, v.Agent)
	}
	if err != nil {
		return checkpoint.Ledger{}, fmt.Errorf("load checkpoint ledger %s: %w", l.reg.Key(), err)
	}
	return v, nil
}

// took adopts what was read or written and gives the newest value known.
func (l *Ledger) took(at register.Head, v checkpoint.Ledger) checkpoint.Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.loaded || at.Version >= l.at.Version {
		l.loaded, l.at, l.ledger = true, at, v
	}
	return l.ledger
}

// Known is the newest value that this process knows, without I/O; false when none was loaded, or the
// outcome of an edit is unknown.
func (l *Ledger) Known() (checkpoint.Ledger, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ledger, l.loaded
}

// Edit swaps the head for what fn makes of it, again on the newest one after each conflict, and gives
// the new value. fn has no effects, and gets to see a head that was read in this call before its
// error is believed. Where it changes nothing, nothing is written.
//
// Errors: fn's (checkpoint.ErrFenced: stop saving), ErrConflict, ErrUnknownOutcome (the edit may be
// or become committed; the next Load or Edit settles it), ErrReadOnly, and those of the store.
func (l *Ledger) Edit(
	ctx context.Context, fn func(checkpoint.Ledger) (checkpoint.Ledger, error),
) (checkpoint.Ledger, error) {
	if l.of.readOnly {
		return checkpoint.Ledger{}, ErrReadOnly
	}
	select {
	case l.editing <- struct{}{}:
		defer func() { <-l.editing }()
	case <-ctx.Done():
		return checkpoint.Ledger{}, fmt.Errorf("edit checkpoint ledger: %w", ctx.Err())
	}
	v, err := l.edit(ctx, fn)
	if err != nil {
		return v, fmt.Errorf("edit checkpoint ledger: %w", err)
	}
	return v, nil
}

func (l *Ledger) edit(
	ctx context.Context, fn func(checkpoint.Ledger) (checkpoint.Ledger, error),
) (checkpoint.Ledger, error) {
	_, known := l.Known()
	fresh := !known
	for try := range CommitTries {
		if fresh {
			if _, _, err := l.Load(ctx); err != nil {
				return checkpoint.Ledger{}, err
			}
		}
		at, v := l.current()
		next, err := fn(v)
		if err != nil && !fresh {
			fresh = true
			continue
		}
		if err != nil || reflect.DeepEqual(v, next) {
			return v, err
		}
		next, err = l.swap(ctx, at, next)
		if !errors.Is(err, register.ErrConflict) {
			return next, err
		}
		l.of.opts.Metrics.conflicts.WithLabelValues("ledger").Inc()
		if err := jitter(ctx, try); err != nil {
			return checkpoint.Ledger{}, fmt.Errorf("%w: %w", ErrConflict, err)
		}
		fresh = true
	}
	return checkpoint.Ledger{}, fmt.Errorf("%w: %d times in a row", ErrConflict, CommitTries)
}

func (l *Ledger) current() (register.Head, checkpoint.Ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at, l.ledger
}

func (l *Ledger) swap(
	ctx context.Context, at register.Head, next checkpoint.Ledger,
) (checkpoint.Ledger, error) {
	if err := next.Validate(); err != nil {
		return checkpoint.Ledger{}, fmt.Errorf("refuse to write: %w", err)
	}
	body, err := checkpoint.Encode(next)
	if err != nil {
		return checkpoint.Ledger{}, err
	}
	won, err := l.reg.SwapSettled(ctx, at, body)
	if errors.Is(err, register.ErrUnknownOutcome) {
		l.mu.Lock()
		l.loaded = false
		l.mu.Unlock()
	}
	if err != nil {
		return checkpoint.Ledger{}, err
	}
	if won.Version != at.Version+1 {
		if next, err = l.decode(won); err != nil {
			return checkpoint.Ledger{}, err
		}
	}
	return l.took(won, next), nil
}

// Checkpoint gives the checkpoint that a manifest leads to, and the ledger that names it; false when
// there is none. Each ledger is read once.
func (r *Reader) Checkpoint(
	ctx context.Context, h manifest.Head,
) (e checkpoint.Entry, in checkpoint.Ref, found bool, err error) {
	if h.Checkpoint == nil {
		return e, in, false, nil
	}
	l := r.ledgers.get(*h.Checkpoint)
	v, known := l.Known()
	if !known {
		if v, _, err = l.Load(ctx); err != nil {
			return e, in, false, err
		}
	}
	e, found = v.Entry(h.TP())
	return e, l.ref, found, nil
}
