package partition

import (
	"time"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka/settings"
)

// indexEntryBytes is what an entry of Kafka's offset index takes: segment.index.bytes counts them.
const indexEntryBytes = 8

// LogConfig is what a topic's settings mean for its hot logs.
func LogConfig(t settings.Topic, producerIDExpiration time.Duration) hotlog.Config {
	c := hotlog.DefaultConfig()
	c.SegmentBytes = t.SegmentBytes
	c.SegmentAge = segmentAge(t)
	c.SegmentJitter = min(t.SegmentJitter, c.SegmentAge)
	c.IndexEntriesMax = max(int(t.SegmentIndexBytes/indexEntryBytes), 1)
	c.IndexIntervalBytes = int(t.IndexIntervalBytes)
	c.FlushMessages = t.FlushMessages
	c.FlushInterval = 0
	if t.FlushInterval != settings.Unbounded {
		c.FlushInterval = max(t.FlushInterval, time.Millisecond) // 0 is at once, not never
	}
	if producerIDExpiration > 0 {
		c.ProducerIDExpiration = producerIDExpiration
	}
	return c
}

// segmentAge is when the active segment is rolled: where the topic is compacted early enough for
// max.compaction.lag.ms.
func segmentAge(t settings.Topic) time.Duration {
	if t.Compacts() && t.CompactionLagMax > 0 {
		return min(t.SegmentAge, t.CompactionLagMax)
	}
	return t.SegmentAge
}
