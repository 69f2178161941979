package objstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ProbePrefix begins the keys that Probe and StoreNow write and remove again. One that a crash left
// behind holds nothing, and whoever sweeps the bucket may delete it once it is old.
const ProbePrefix = "probe/"

const probeTries = 3

// Probe refuses a store that ignores the conditions of a Put, on which every head in the catalog
// rests. It creates an object, creates it again, swaps it, swaps it again on the ETag that is stale
// by then, and deletes it: five requests. The error wraps ErrLyingStore and tells what the store
// did; any other error means that the probe could not be finished and nothing is known.
func Probe(ctx context.Context, s Store) error {
	var err error
	for range probeTries {
		err = probeOnce(ctx, s)
		if !errors.Is(err, ErrUnknownOutcome) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func probeOnce(ctx context.Context, s Store) (err error) {
	key := ProbePrefix + uniqueName()
	first, err := s.Put(ctx, key, Bytes([]byte("first")), Condition{IfAbsent: true})
	if err != nil {
		if errors.Is(err, ErrUnknownOutcome) {
			removeQuietly(ctx, s, key)
		}
		return probeFailed(s, "create an object if absent", err)
	}
	defer func() {
		if derr := s.Delete(ctx, key); derr != nil && err == nil {
			err = probeFailed(s, "delete the object it made", derr)
		}
	}()
	_, err = s.Put(ctx, key, Bytes([]byte("second")), Condition{IfAbsent: true})
	if err == nil {
		return lying(s, "a create-if-absent (If-None-Match: *) overwrote an existing object")
	}
	if !errors.Is(err, ErrConflict) {
		return probeFailed(s, "create an object that exists", err)
	}
	swapped, err := s.Put(ctx, key, Bytes([]byte("third")), Condition{IfMatch: first.ETag})
	if err != nil {
		return probeFailed(s, "swap an object on its ETag (If-Match)", err)
	}
	if swapped.ETag == first.ETag {
		return lying(s, "two different contents got the same ETag "+first.ETag)
	}
	_, err = s.Put(ctx, key, Bytes([]byte("fourth")), Condition{IfMatch: first.ETag})
	if err == nil {
		return lying(s, "a swap on a stale ETag (If-Match) overwrote a newer object")
	}
	if !errors.Is(err, ErrConflict) {
		return probeFailed(s, "swap an object on a stale ETag", err)
	}
	return nil
}

func lying(s Store, what string) error {
	return fmt.Errorf("store %s: %w: %s; Varve keeps its catalog in compare-and-set objects and "+
		"would lose data here: use a store with conditional writes (S3, MinIO, versitygw, file://)",
		s.URL(), ErrLyingStore, what)
}

func probeFailed(s Store, doing string, err error) error {
	return fmt.Errorf("probe store %s: could not %s: %w; check the URL, the credentials and that "+
		"they may put, get, list and delete", s.URL(), doing, err)
}

// StoreNow tells the time by the store's own clock, from the LastModified of a small object that it
// puts, heads and deletes: three requests. The answer is truncated as the store truncates, usually
// to whole seconds, and is at most one round trip old. Grace times of objects are measured by it,
// since the clocks of agents may differ.
func StoreNow(ctx context.Context, s Store) (time.Time, error) {
	key := ProbePrefix + "clock-" + uniqueName()
	if _, err := s.Put(ctx, key, Bytes([]byte("clock")), Condition{}); err != nil {
		return time.Time{}, fmt.Errorf("read the clock of store %s: %w", s.URL(), err)
	}
	defer removeQuietly(ctx, s, key)
	info, err := s.Head(ctx, key)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock of store %s: %w", s.URL(), err)
	}
	if info.LastModified.IsZero() {
		return time.Time{}, fmt.Errorf("read the clock of store %s: it tells no LastModified", s.URL())
	}
	return info.LastModified, nil
}

// removeQuietly removes what a probe may have left; whoever sweeps the bucket gets what it misses.
func removeQuietly(ctx context.Context, s Store, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = s.Delete(ctx, key)
}

func uniqueName() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails, as documented since Go 1.24
	return hex.EncodeToString(b[:])
}
