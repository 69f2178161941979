package driver

import (
	"context"
	"errors"
	"time"
)

// Collect calls next until r.N records came, or none came for r.Wait (20 s for the first). next waits
// no longer than its context lives, and may return nothing.
func Collect(
	ctx context.Context, r Read, next func(context.Context) ([]Record, error),
) ([]Record, error) {
	var got []Record
	wait := max(r.Wait, readWaitMax)
	last := time.Now()
	for len(got) < r.N {
		left := wait - time.Since(last)
		if left <= 0 {
			break
		}
		waitCtx, cancel := context.WithTimeout(ctx, left)
		records, err := next(waitCtx)
		cancel()
		if err != nil && !(errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil) {
			return got, err
		}
		if len(records) > 0 {
			got, last, wait = append(got, records...), time.Now(), r.Wait
		}
	}
	return got[:min(len(got), r.N)], nil
}
