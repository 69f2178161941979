package txn

import (
	"fmt"
	"time"
)

// Config holds the coordinator's settings; each has the name that Kafka gives it.
type Config struct {
	// MaxTimeout is transaction.max.timeout.ms: the largest time-out a producer may ask for. Default 15
	// minutes, at least 1 ms.
	MaxTimeout time.Duration
	// IDExpiration is transactional.id.expiration.ms: an id without a transaction is forgotten after it.
	// Default 7 days, at least 1 ms.
	IDExpiration time.Duration
	// AbortInterval is transaction.abort.timed.out.transaction.cleanup.interval.ms: how often running
	// transactions are looked at for their time-outs. Default 10 s, at least 1 ms.
	AbortInterval time.Duration
	// RemoveInterval is transaction.remove.expired.transaction.cleanup.interval.ms: how often ids are
	// looked at for their expiration. Default 1 h, at least 1 ms.
	RemoveInterval time.Duration
	// ConcurrentWait is add.partitions.to.txn.retry.backoff.max.ms: how long a partition that is added
	// waits for the end of the transaction before. Default 100 ms, 0: not at all.
	ConcurrentWait time.Duration
	// TwoPhase is transaction.two.phase.commit.enable: producers may have no time-out (KIP-939). Default
	// false.
	TwoPhase bool
}

// DefaultConfig gives Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		MaxTimeout: 15 * time.Minute, IDExpiration: 7 * 24 * time.Hour,
		AbortInterval: 10 * time.Second, RemoveInterval: time.Hour,
		ConcurrentWait: 100 * time.Millisecond,
	}
}

// Validate names the first field that is out of bounds.
func (c Config) Validate() error {
	for _, f := range []struct {
		name string
		v    time.Duration
	}{
		{"MaxTimeout", c.MaxTimeout},
		{"IDExpiration", c.IDExpiration},
		{"AbortInterval", c.AbortInterval},
		{"RemoveInterval", c.RemoveInterval},
	} {
		if f.v < time.Millisecond {
			return fmt.Errorf("txn config: %s is %s, must be at least 1ms", f.name, f.v)
		}
	}
	if c.ConcurrentWait < 0 {
		return fmt.Errorf("txn config: ConcurrentWait is %s, must not be negative", c.ConcurrentWait)
	}
	return nil
}
