package register

import (
	"context"
	"errors"
	"fmt"
)

var (
	errStillExpected = errors.New("the head still has the ETag that the attempt expects")
	errForgotten     = errors.New("more commits followed than a head remembers")
)

// Settle ends the uncertainty about an attempt: nil when it had been committed (the newest head is
// returned), ErrConflict when it surely never will be (the newest head is returned too, unless it
// is gone). While the head still has the ETag that the attempt expects, it writes the same body
// under a new commit id, so that the late write can never land. ErrUnknownOutcome when SettleTries
// did not suffice, when ctx ended, or for good when more than RecentMax commits followed.
func (r *Register) Settle(ctx context.Context, a Attempt) (Head, error) {
	var last error
	for try := range max(1, r.cfg.SettleTries) {
		h, err := r.resolve(ctx, a)
		if !errors.Is(err, ErrUnknownOutcome) || errors.Is(err, errForgotten) {
			return h, err
		}
		last = err
		if errors.Is(err, errStillExpected) {
			noop := Attempt{key: r.key, prev: a.prev, id: r.cfg.NewID()}
			h, err := r.write(ctx, noop, a.prev.Body, 0)
			if err == nil {
				return h, lost(a)
			}
			last = &UnknownError{Attempt: a, Err: err}
		}
		if err := r.backoff(ctx, try); err != nil {
			break
		}
	}
	return Head{}, last
}

// resolve reads the head and says what became of the attempt, as far as one look can tell.
func (r *Register) resolve(ctx context.Context, a Attempt) (Head, error) {
	h, err := r.Read(ctx)
	switch {
	case errors.Is(err, ErrNotFound) && a.prev.ETag != "":
		// The head was removed. If-Match cannot succeed on nothing.
		return Head{}, lost(a)
	case errors.Is(err, ErrNotFound):
		return Head{}, &UnknownError{Attempt: a, Err: errStillExpected}
	case err != nil:
		return Head{}, &UnknownError{Attempt: a, Err: err}
	case h.holds(a.id):
		return h, nil
	case h.ETag == a.prev.ETag:
		return h, &UnknownError{Attempt: a, Err: errStillExpected}
	case h.Version-a.Version() > RecentMax:
		return h, &UnknownError{Attempt: a, Err: errForgotten}
	default:
		return h, lost(a)
	}
}

func lost(a Attempt) error {
	return fmt.Errorf("swap %s to version %d: %w", a.key, a.Version(), ErrConflict)
}
