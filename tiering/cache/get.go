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
// available or the body ended early. The errors are objstore's; objstore.ErrNotFound is not retried.
func (d Direct) ReadRange(ctx context.Context, o Object, dst []byte, off int64) error {
	if err := o.check(dst, off); err != nil || len(dst) == 0 {
		return err
	}
	pause := getPauseMin
	for try := 1; ; try++ {
		err := d.once(ctx, o, dst, off)
		if err == nil {
			return nil
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

func (d Direct) once(ctx context.Context, o Object, dst []byte, off int64) error {
	body, _, err := d.Store.Get(ctx, o.Key, objstore.Range{Offset: off, Length: int64(len(dst))})
	if err != nil {
		return err
	}
	_, err = io.ReadFull(body, dst)
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
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
