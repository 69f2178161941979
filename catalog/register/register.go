package register

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// Config holds the settings of a Register.
type Config struct {
	// WriterFormat is the body format that this program writes. A head with a higher min_writer is
	// read but not written (ErrFormat). At least 1.
	WriterFormat int
	// MinWriter is the lowest body format that later writers must speak; it never goes down.
	MinWriter int
	// BytesMax bounds the whole head on read and write, in bytes.
	BytesMax int64
	// UnavailableRetries is how often a write that surely did not happen is sent again.
	UnavailableRetries int
	// SettleTries bounds the rounds of Settle, each one read and one write.
	SettleTries int
	// BackoffMin and BackoffMax bound the wait between tries; it doubles from one to the other.
	BackoffMin, BackoffMax time.Duration
	// NewID gives commit ids, unique for ever; nil means 12 random bytes in hex.
	NewID func() string
}

// DefaultConfig suits both kinds of heads.
func DefaultConfig() Config {
	return Config{
		WriterFormat: 1, MinWriter: 1, BytesMax: 16 << 20, UnavailableRetries: 3, SettleTries: 8,
		BackoffMin: 5 * time.Millisecond, BackoffMax: 500 * time.Millisecond,
	}
}

// Head is a head as it was read or written. It is a value; its slices are not changed.
type Head struct {
	// Version counts the writes of this head from 1.
	Version int64
	// CommitID is the id of the attempt that wrote it, Recent those of up to RecentMax before it,
	// oldest first.
	CommitID string
	Recent   []string
	// MinWriter is the lowest body format that a writer must speak.
	MinWriter int
	// ETag is the store's, empty for a head that does not exist yet.
	ETag string
	// ModTime is when it was written by the store's clock, zero where the store did not say.
	ModTime time.Time
	// Body is the JSON value that was committed; nil: nothing was committed yet.
	Body json.RawMessage
}

// Attempt is one try to swap a head.
type Attempt struct {
	key  string
	prev Head
	id   string
}

// Version is what the head's version would be.
func (a Attempt) Version() int64 { return a.prev.Version + 1 }

// ExpectedETag is the ETag on which the attempt rests; empty when it creates the head. The attempt
// can land as long as the head has this ETag and no longer.
func (a Attempt) ExpectedETag() string { return a.prev.ETag }

// Register is the head under one key.
type Register struct {
	store objstore.Store
	key   string
	cfg   Config
}

// New gives the register under key; nothing is read or written.
func New(store objstore.Store, key string, cfg Config) *Register {
	if cfg.NewID == nil {
		cfg.NewID = randomID
	}
	return &Register{store: store, key: key, cfg: cfg}
}

// Key is the object's key.
func (r *Register) Key() string { return r.key }

// Read gets the head: one GET. ErrNotFound, ErrCorrupt and ErrFormat as documented.
func (r *Register) Read(ctx context.Context) (Head, error) {
	raw, info, err := objstore.ReadAll(ctx, r.store, r.key, r.cfg.BytesMax)
	if errors.Is(err, objstore.ErrNotFound) {
		return Head{}, fmt.Errorf("read %s: %w", r.key, ErrNotFound)
	}
	if err != nil {
		return Head{}, fmt.Errorf("read head: %w", err)
	}
	h, err := Decode(raw)
	if err != nil {
		return Head{}, fmt.Errorf("read %s: %w", r.key, err)
	}
	h.ETag, h.ModTime = info.ETag, info.LastModified
	return h, nil
}

// Swap replaces prev by a head with this body; the zero Head as prev creates it. On success the
// newest head is returned: usually the one just written, but where the reply was lost and others
// committed since, theirs (its Version is then above prev.Version+1).
//
// Errors: ErrConflict, ErrUnknownOutcome (an *UnknownError), ErrFormat, ErrTooLarge; any other
// means that nothing was written.
func (r *Register) Swap(ctx context.Context, prev Head, body json.RawMessage) (Head, error) {
	return r.SwapRaising(ctx, prev, body, 0)
}

// SwapRaising is Swap for a body that only writers of format minWriter and above understand: the
// head wants them from then on.
func (r *Register) SwapRaising(
	ctx context.Context, prev Head, body json.RawMessage, minWriter int,
) (Head, error) {
	if prev.MinWriter > r.cfg.WriterFormat {
		return Head{}, fmt.Errorf("write %s: %w: it wants writers of format %d, this program "+
			"writes %d; upgrade it", r.key, ErrFormat, prev.MinWriter, r.cfg.WriterFormat)
	}
	a := Attempt{key: r.key, prev: prev, id: r.cfg.NewID()}
	h, err := r.write(ctx, a, body, minWriter)
	switch {
	case err == nil:
		return h, nil
	case surelyNotWritten(err):
		return Head{}, err
	}
	won, rerr := r.resolve(ctx, a)
	var unknown *UnknownError
	if errors.As(rerr, &unknown) {
		unknown.Err = errors.Join(err, unknown.Err)
	}
	return won, rerr
}

// SwapSettled is Swap followed by Settle where the outcome is unknown.
func (r *Register) SwapSettled(
	ctx context.Context, prev Head, body json.RawMessage,
) (Head, error) {
	return r.SwapSettledRaising(ctx, prev, body, 0)
}

// SwapSettledRaising is SwapRaising followed by Settle where the outcome is unknown.
func (r *Register) SwapSettledRaising(
	ctx context.Context, prev Head, body json.RawMessage, minWriter int,
) (Head, error) {
	h, err := r.SwapRaising(ctx, prev, body, minWriter)
	var unknown *UnknownError
	if errors.As(err, &unknown) {
		return r.Settle(ctx, unknown.Attempt)
	}
	return h, err
}

// write puts the head that the attempt means, and again while the store says that nothing happened.
func (r *Register) write(
	ctx context.Context, a Attempt, body json.RawMessage, minWriter int,
) (Head, error) {
	minWriter = max(minWriter, r.cfg.MinWriter)
	raw, err := encode(a.prev, a.id, body, minWriter)
	if err != nil {
		return Head{}, errors.Join(errNothingWritten, err)
	}
	if int64(len(raw)) > r.cfg.BytesMax {
		return Head{}, fmt.Errorf("write %s: %w: %d bytes, at most %d (%w)",
			r.key, ErrTooLarge, len(raw), r.cfg.BytesMax, errNothingWritten)
	}
	cond := objstore.Condition{IfMatch: a.prev.ETag, IfAbsent: a.prev.ETag == ""}
	var info objstore.Info
	for try := 0; ; try++ {
		info, err = r.store.Put(ctx, r.key, objstore.Bytes(raw), cond)
		if !errors.Is(err, objstore.ErrUnavailable) || errors.Is(err, objstore.ErrUnknownOutcome) ||
			try >= r.cfg.UnavailableRetries {
			break
		}
		if werr := r.backoff(ctx, try); werr != nil {
			break
		}
	}
	if err != nil {
		return Head{}, fmt.Errorf("write head: %w", err)
	}
	return Head{
		Version: a.Version(), CommitID: a.id, Recent: a.prev.successors(),
		MinWriter: max(a.prev.MinWriter, minWriter), ETag: info.ETag,
		ModTime: info.LastModified, Body: body,
	}, nil
}

var errNothingWritten = errors.New("nothing was written")

// surelyNotWritten tells the errors of a conditional put that leave no doubt and need no look at
// the head. A conflict is not among them: an SDK or proxy that repeats a request turns a win into a
// 412.
func surelyNotWritten(err error) bool {
	if errors.Is(err, objstore.ErrUnknownOutcome) || errors.Is(err, objstore.ErrConflict) {
		return false
	}
	for _, class := range []error{
		errNothingWritten, objstore.ErrUnavailable, objstore.ErrDenied, objstore.ErrChecksum,
		objstore.ErrInvalidKey,
	} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// backoff waits before another try, or returns ctx's error.
func (r *Register) backoff(ctx context.Context, try int) error {
	wait := min(r.cfg.BackoffMax, r.cfg.BackoffMin<<min(try, 16))
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func randomID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails, as documented since Go 1.24
	return hex.EncodeToString(b[:])
}
