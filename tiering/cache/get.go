package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

const (
	getTries     = 4
	getPauseMin  = 20 * time.Millisecond
	getPauseMax  = 500 * time.Millisecond
	getPauseMult = 4
)

// Object names an immutable object whose size the manifest tells.
type Object struct {
	Key  string
	Size int64
}

// Ranges reads bytes of objects.
type Ranges interface {
	// ReadRange fills dst with the object's bytes from off on. It fills all of dst or fails.
	ReadRange(ctx context.Context, o Object, dst []byte, off int64) error
}

// Direct reads every range from the store, past any cache.
type Direct struct{ Store objstore.Store }

var _ Ranges = Direct{}

// ReadRange implements Ranges by one ranged GET, tried again a few times where the store was not
// available or the body ended early. The errors are objstore's; objstore.ErrNotFound is not
// retried.
func (d Direct) ReadRange(ctx context.Context, o Object, dst []byte, off int64) error {
	seen := func([]byte, int64) error { return nil }
	return d.ReadSteps(ctx, o, dst, off, Steps{Bytes: len(dst), Seen: seen})
}

// Steps say how a read is looked at while it arrives.
type Steps struct {
	// Bytes is the size of a step; the last may be shorter.
	Bytes int
	// Seen gets each step with its position in the object, as soon as it is there and still in the
	// processor's caches. An error ends the read and is returned as it is. After a retry Seen is
	// called from the start again.
	Seen func(part []byte, at int64) error
}

// ReadSteps is ReadRange that is looked at while it arrives.
func (d Direct) ReadSteps(
	ctx context.Context, o Object, dst []byte, off int64, steps Steps,
) error {
	if err := o.check(dst, off); err != nil || len(dst) == 0 {
		return err
	}
	pause := getPauseMin
	for try := 1; ; try++ {
		seenErr, err := d.once(ctx, o, dst, off, steps)
		if seenErr != nil || err == nil {
			return seenErr
		}
		if try == getTries || !transient(err) || ctx.Err() != nil {
			return fmt.Errorf("read bytes %d to %d of %s: %w", off, off+int64(len(dst)), o.Key, err)
		}
		if err := Pause(ctx, pause); err != nil {
			return err
		}
		pause = min(pause*getPauseMult, getPauseMax)
	}
}

func (d Direct) once(
	ctx context.Context, o Object, dst []byte, off int64, steps Steps,
) (seenErr, err error) {
	body, _, err := d.Store.Get(ctx, o.Key, objstore.Range{Offset: off, Length: int64(len(dst))})
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := body.Close(); err == nil {
			err = cerr
		}
	}()
	for at := 0; at < len(dst); at += steps.Bytes {
		part := dst[at:min(at+steps.Bytes, len(dst))]
		if _, err := io.ReadFull(body, part); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if err := steps.Seen(part, off+int64(at)); err != nil {
			return err, nil
		}
	}
	return nil, nil
}

func (o Object) check(dst []byte, off int64) error {
	if off < 0 || off+int64(len(dst)) > o.Size {
		return fmt.Errorf("%w: bytes %d to %d of %s, which has %d",
			ErrOutOfRange, off, off+int64(len(dst)), o.Key, o.Size)
	}
	return nil
}

// transient tells that asking again may help.
func transient(err error) bool {
	for _, final := range []error{
		objstore.ErrNotFound, objstore.ErrDenied, objstore.ErrInvalidKey, objstore.ErrInvalidRange,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

// Pause waits d, give or take a quarter at random, or until ctx ends, whose error it then returns.
func Pause(ctx context.Context, d time.Duration) error {
	if quarter := int64(d / 4); quarter > 0 {
		d += time.Duration(rand.Int64N(2*quarter) - quarter)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
