package catalog

import (
	"context"
	"sync"
	"time"

	"github.com/varve-log/varve/internal/objstore"
)

// clockAgeMax is how long one look at the store's clock is built upon.
const clockAgeMax = 10 * time.Minute

// storeClock tells the time by the store's clock: it looks once, with three small requests, and
// goes on from there by the local monotonic clock.
type storeClock struct {
	store objstore.Store
	now   func() time.Time

	mu     sync.Mutex
	at     time.Time // the store's clock when looked at
	looked time.Time // the local clock then
}

// Now is at most a round trip behind the store's clock.
func (c *storeClock) Now(ctx context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	local := c.now()
	if age := local.Sub(c.looked); !c.looked.IsZero() && age >= 0 && age < clockAgeMax {
		return c.at.Add(age), nil
	}
	at, err := objstore.StoreNow(ctx, c.store)
	if err != nil {
		return time.Time{}, err
	}
	c.at, c.looked = at, c.now()
	return at, nil
}
