package remote

import (
	"fmt"
	"time"
)

// Limits of S3 itself.
const (
	partsMax        = 10_000
	singlePutMax    = 5 << 30
	partBytesFloor  = 5 << 20
	multipartFloor  = partBytesFloor
	partBytesMax    = 5 << 30
	partBytesRound  = 1 << 20
	abortTimeout    = 10 * time.Second
	attemptsCeiling = 20
)

// Config bounds how a store over the network is used. DefaultConfig is right for all but tests.
type Config struct {
	// AttemptsMax is how often a request is tried in all, 1..20. Default 5.
	AttemptsMax int
	// BackoffMin and BackoffMax bound the wait before the second and later attempts; it doubles
	// each time, and a random part of it up to all is taken. Default 50 ms and 2 s.
	BackoffMin, BackoffMax time.Duration
	// ResumesMax is how often one Get goes on after its body broke off. Default 3.
	ResumesMax int
	// MultipartBytes is the object size from which uploads go in parts, 5 MiB..5 GiB. Default 1 GiB.
	MultipartBytes int64
	// PartBytes is the least size of a part, 5 MiB..5 GiB; objects that would need more than 10,000
	// get larger ones. Default 64 MiB.
	PartBytes int64
	// PartsParallel is how many parts of one upload are in flight. Default 4.
	PartsParallel int
	// ConnsMax bounds the connections to the store. Default 256.
	ConnsMax int
	// StallTimeout is how long a connection may make no progress in either direction, and how long
	// the store may think before it answers. Default 30 s.
	StallTimeout time.Duration
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		AttemptsMax: 5, BackoffMin: 50 * time.Millisecond, BackoffMax: 2 * time.Second,
		ResumesMax: 3, MultipartBytes: 1 << 30, PartBytes: 64 << 20, PartsParallel: 4,
		ConnsMax: 256, StallTimeout: 30 * time.Second,
	}
}

// Validate names the first field that is out of its bounds.
func (c Config) Validate() error {
	switch {
	case c.AttemptsMax < 1 || c.AttemptsMax > attemptsCeiling:
		return fmt.Errorf("AttemptsMax is %d, must be 1..%d", c.AttemptsMax, attemptsCeiling)
	case c.BackoffMin <= 0 || c.BackoffMax < c.BackoffMin:
		return fmt.Errorf("BackoffMin %v and BackoffMax %v, must be 0 < min <= max",
			c.BackoffMin, c.BackoffMax)
	case c.ResumesMax < 0:
		return fmt.Errorf("ResumesMax is %d, must not be negative", c.ResumesMax)
	case c.MultipartBytes < multipartFloor || c.MultipartBytes > singlePutMax:
		return fmt.Errorf("MultipartBytes is %d, must be 5 MiB..5 GiB", c.MultipartBytes)
	case c.PartBytes < partBytesFloor || c.PartBytes > partBytesMax:
		return fmt.Errorf("PartBytes is %d, must be 5 MiB..5 GiB", c.PartBytes)
	case c.PartsParallel < 1:
		return fmt.Errorf("PartsParallel is %d, must be at least 1", c.PartsParallel)
	case c.ConnsMax < 1:
		return fmt.Errorf("ConnsMax is %d, must be at least 1", c.ConnsMax)
	case c.StallTimeout <= 0:
		return fmt.Errorf("StallTimeout is %v, must be positive", c.StallTimeout)
	}
	return nil
}
