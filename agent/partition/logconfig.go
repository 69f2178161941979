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
	c.SegmentAge = t.SegmentAge
	c.SegmentJitter = min(t.SegmentJitter, t.SegmentAge)
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
