package checkpointer

import (
	"fmt"
	"time"
)

// Config bounds a Checkpointer.
type Config struct {
	// Agent is the agent's id and Incarnation that of this process.
	Agent       int32
	Incarnation int64
	// Cluster is written into objects, for people.
	Cluster string
	// MaxAge is how long a change may stay unsaved, the upload included: a round begins after 4/5 of
	// it. At least 100 ms. Default 10 seconds.
	MaxAge time.Duration
	// ScanInterval is how often logs are looked at, in memory. Default a tenth of MaxAge.
	ScanInterval time.Duration
	// LedgersMax is how many ledgers are saved at once, 1 to 16. Default 2.
	LedgersMax int
	// KeysBytesMax bounds the map of the keys of one part. At least 64 KiB. Default 16 MiB, for 600,000
	// keys.
	KeysBytesMax int64
	// RetryPauseMin and RetryPauseMax bound the pause after an error, which doubles from one to the
	// other. Default 200 ms and 30 seconds.
	RetryPauseMin, RetryPauseMax time.Duration
	// RoundTimeout bounds one round. Default 2 minutes.
	RoundTimeout time.Duration
}

// DefaultConfig is right for an agent but for its id and incarnation.
func DefaultConfig() Config {
	return Config{
		MaxAge: 10 * time.Second, ScanInterval: time.Second, LedgersMax: 2, KeysBytesMax: 16 << 20,
		RetryPauseMin: 200 * time.Millisecond, RetryPauseMax: 30 * time.Second,
		RoundTimeout: 2 * time.Minute,
	}
}

const (
	maxAgeMin    = 100 * time.Millisecond
	scanMin      = time.Millisecond
	ledgersLimit = 16
	keysBytesMin = 64 << 10
)

// Validate names the field that cannot be.
func (c Config) Validate() error {
	switch {
	case c.Agent < 0 || c.Incarnation < 1:
		return fmt.Errorf("checkpointer: agent %d, incarnation %d; want a registered one",
			c.Agent, c.Incarnation)
	case c.MaxAge < maxAgeMin:
		return fmt.Errorf("checkpointer: MaxAge is %s; want %s or more", c.MaxAge, maxAgeMin)
	case c.ScanInterval < scanMin || c.ScanInterval > c.MaxAge:
		return fmt.Errorf("checkpointer: ScanInterval is %s; want %s to MaxAge", c.ScanInterval, scanMin)
	case c.LedgersMax < 1 || c.LedgersMax > ledgersLimit:
		return fmt.Errorf("checkpointer: LedgersMax is %d; want 1 to %d", c.LedgersMax, ledgersLimit)
	case c.KeysBytesMax < keysBytesMin:
		return fmt.Errorf("checkpointer: KeysBytesMax is %d; want %d or more",
			c.KeysBytesMax, keysBytesMin)
	case c.RetryPauseMin <= 0 || c.RetryPauseMax < c.RetryPauseMin:
		return fmt.Errorf("checkpointer: RetryPauseMin is %s and RetryPauseMax %s; want 0 < min <= max",
			c.RetryPauseMin, c.RetryPauseMax)
	case c.RoundTimeout <= 0:
		return fmt.Errorf("checkpointer: RoundTimeout is %s; want more than 0", c.RoundTimeout)
	}
	return nil
}
