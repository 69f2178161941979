package remote

import (
	"context"
	"errors"
	"fmt"

	"github.com/varve-log/varve/internal/objstore"
)

// CheckBucket asks once, at opening, whether the bucket is there and the store can be reached. A
// store that refuses to tell (credentials for objects alone) passes: the first request of real work
// decides.
func CheckBucket(ctx context.Context, s *Store, head func(context.Context) error) error {
	err := s.try(ctx, operation{name: "look for the bucket of", key: s.url}, head)
	switch {
	case err == nil, errors.Is(err, objstore.ErrDenied):
		return nil
	case errors.Is(err, objstore.ErrNotFound):
		return fmt.Errorf("store %s: the bucket does not exist: %w; create it first, for example with "+
			"`aws s3 mb s3://BUCKET` or `mc mb ALIAS/BUCKET`", s.url, err)
	default:
		return fmt.Errorf("store %s: %w", s.url, err)
	}
}
