package hotlog

import (
	"fmt"
	"math"
	"time"
)

// Config is what topic settings decide about a log. Log.SetConfig changes it at run time.
type Config struct {
	// SegmentBytes rolls the active segment before it would grow past this size (segment.bytes).
	// An append larger than it is refused. 14 (as Kafka) to 2^31-1; default 1 GiB.
	SegmentBytes int64
	// SegmentAge rolls the active segment when an append's largest timestamp is later than the
	// segment's first batch's by more than this, and in MaybeRoll when the first append is older by
	// the wall clock (segment.ms). At least 1 ms; default 7 days.
	SegmentAge time.Duration
	// SegmentJitter is the largest random amount by which SegmentAge is shortened per segment, so
	// that many logs do not roll at once (segment.jitter.ms). Default 0.
	SegmentJitter time.Duration
	// IndexIntervalBytes is how many bytes lie between two index entries at least
	// (index.interval.bytes). 0 or more; default 4096.
	IndexIntervalBytes int
	// IndexEntriesMax rolls the active segment when its index holds so many entries
	// (segment.index.bytes / 8). At least 1; default 1.3 million, as Kafka's 10 MiB.
	IndexEntriesMax int
	// FlushMessages syncs when so many records are not flushed yet; the append that reaches it has
	// to be acked after the sync (flush.messages). At least 1; default never.
	FlushMessages int64
	// FlushInterval syncs at the latest so long after an append (flush.ms). Default never (0).
	FlushInterval time.Duration
	// ProducerIDExpiration forgets a producer that has written nothing for so long and has no open
	// transaction (producer.id.expiration.ms). Default 1 day.
	ProducerIDExpiration time.Duration
	// CheckpointBytes lets a checkpoint be written behind the append path each time so many bytes
	// were appended, which bounds what a restart scans. At least 1 MiB; default 64 MiB.
	CheckpointBytes int64
}

// Bounds of Config.
const (
	segmentBytesMin    = 14
	segmentBytesMax    = math.MaxInt32
	checkpointBytesMin = 1 << 20
)

// DefaultConfig is Kafka's.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:         1 << 30,
		SegmentAge:           7 * 24 * time.Hour,
		IndexIntervalBytes:   4096,
		IndexEntriesMax:      (10 << 20) / 8,
		FlushMessages:        math.MaxInt64,
		ProducerIDExpiration: 24 * time.Hour,
		CheckpointBytes:      64 << 20,
	}
}

// Validate names the first field out of its bounds.
func (c Config) Validate() error {
	switch {
	case c.SegmentBytes < segmentBytesMin || c.SegmentBytes > segmentBytesMax:
		return fmt.Errorf("SegmentBytes is %d, must be %d to %d",
			c.SegmentBytes, segmentBytesMin, int64(segmentBytesMax))
	case c.SegmentAge < time.Millisecond:
		return fmt.Errorf("SegmentAge is %v, must be 1ms at least", c.SegmentAge)
	case c.SegmentJitter < 0 || c.SegmentJitter > c.SegmentAge:
		return fmt.Errorf("SegmentJitter is %v, must be 0 to SegmentAge", c.SegmentJitter)
	case c.IndexIntervalBytes < 0:
		return fmt.Errorf("IndexIntervalBytes is %d, must not be negative", c.IndexIntervalBytes)
	case c.IndexEntriesMax < 1:
		return fmt.Errorf("IndexEntriesMax is %d, must be 1 at least", c.IndexEntriesMax)
	case c.FlushMessages < 1:
		return fmt.Errorf("FlushMessages is %d, must be 1 at least", c.FlushMessages)
	case c.FlushInterval < 0:
		return fmt.Errorf("FlushInterval is %v, must not be negative", c.FlushInterval)
	case c.ProducerIDExpiration < time.Millisecond:
		return fmt.Errorf("ProducerIDExpiration is %v, must be 1ms at least",
			c.ProducerIDExpiration)
	case c.CheckpointBytes < checkpointBytesMin:
		return fmt.Errorf("CheckpointBytes is %d, must be %d at least",
			c.CheckpointBytes, checkpointBytesMin)
	}
	return nil
}
