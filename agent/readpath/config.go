package readpath

import (
	"fmt"
	"time"
)

// Config bounds the cold part of a Reader.
type Config struct {
	// ColdFetchesMax is how many cold fetches are answered at once; others wait. Default 32.
	ColdFetchesMax int
	// ColdBytesMax bounds the bytes of cold answers that were not released yet. Default 64 MiB.
	ColdBytesMax int64
	// CursorsMax is how many sequential cold readers read ahead at once; others go by the cache. Each
	// holds as many chunks as replay.Config.Parallel tells. Default 8.
	CursorsMax int
	// CursorIdleMax closes a cursor that no fetch has used for so long. Default 30 seconds.
	CursorIdleMax time.Duration
}

// DefaultConfig is right for an agent.
func DefaultConfig() Config {
	return Config{
		ColdFetchesMax: 32, ColdBytesMax: 64 << 20, CursorsMax: 8, CursorIdleMax: 30 * time.Second,
	}
}

// Validate names the field that cannot be.
func (c Config) Validate() error {
	switch {
	case c.ColdFetchesMax < 1:
		return fmt.Errorf("readpath: ColdFetchesMax is %d; want 1 or more", c.ColdFetchesMax)
	case c.ColdBytesMax < 1<<20:
		return fmt.Errorf("readpath: ColdBytesMax is %d; want 1 MiB or more", c.ColdBytesMax)
	case c.CursorsMax < 0:
		return fmt.Errorf("readpath: CursorsMax is %d; want 0 or more", c.CursorsMax)
	case c.CursorIdleMax <= 0:
		return fmt.Errorf("readpath: CursorIdleMax is %s; want more than 0", c.CursorIdleMax)
	}
	return nil
}
