package tiering

import (
	"fmt"
	"time"
)

// Config bounds a Sealer.
type Config struct {
	// UploadsMax is how many partitions are sealed at once, 1 to 256. Default 4.
	UploadsMax int
	// BytesPerSecondMax bounds the rate of all uploads together; 0 means no bound. Default 0.
	BytesPerSecondMax int64
	// ScanInterval is how often an idle partition is looked at, in memory. At least 10 ms. Default 30
	// seconds.
	ScanInterval time.Duration
	// RetentionInterval is how often retention is applied to a partition without other events. At
	// least 10 ms. Default 5 minutes, as Kafka's log.retention.check.interval.ms.
	RetentionInterval time.Duration
	// RetryPauseMin and RetryPauseMax bound the pause after an error, which doubles from one to the
	// other and is varied at random. Default 200 ms and 30 seconds.
	RetryPauseMin, RetryPauseMax time.Duration
	// StepTimeout bounds one step of a partition (an upload, an edit). Default 10 minutes.
	StepTimeout time.Duration
	// Cluster is written into sealed segments, for people.
	Cluster string
}

// DefaultConfig is right for an agent.
func DefaultConfig() Config {
	return Config{
		UploadsMax: 4, ScanInterval: 30 * time.Second, RetentionInterval: 5 * time.Minute,
		RetryPauseMin: 200 * time.Millisecond, RetryPauseMax: 30 * time.Second,
		StepTimeout: 10 * time.Minute,
	}
}

const (
	uploadsLimit = 256
	intervalMin  = 10 * time.Millisecond
)

// Validate names the field that cannot be.
func (c Config) Validate() error {
	switch {
	case c.UploadsMax < 1 || c.UploadsMax > uploadsLimit:
		return fmt.Errorf("tiering: UploadsMax is %d; want 1 to %d", c.UploadsMax, uploadsLimit)
	case c.BytesPerSecondMax < 0:
		return fmt.Errorf("tiering: BytesPerSecondMax is %d; want 0 or more", c.BytesPerSecondMax)
	case c.ScanInterval < intervalMin:
		return fmt.Errorf("tiering: ScanInterval is %s; want %s or more", c.ScanInterval, intervalMin)
	case c.RetentionInterval < intervalMin:
		return fmt.Errorf("tiering: RetentionInterval is %s; want %s or more",
			c.RetentionInterval, intervalMin)
	case c.RetryPauseMin <= 0 || c.RetryPauseMax < c.RetryPauseMin:
		return fmt.Errorf("tiering: RetryPauseMin is %s and RetryPauseMax %s; want 0 < min <= max",
			c.RetryPauseMin, c.RetryPauseMax)
	case c.StepTimeout <= 0:
		return fmt.Errorf("tiering: StepTimeout is %s; want more than 0", c.StepTimeout)
	}
	return nil
}
