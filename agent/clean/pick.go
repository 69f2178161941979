package clean

import (
	"time"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/settings"
)

// picked is the log to be cleaned, if there is one, and what the look at all showed.
type picked struct {
	log      Log
	delay    time.Duration // how long since max.compaction.lag.ms had it cleaned
	dirtiest float64       // the largest dirty share, cleaned or not
}

// pick looks at compacted logs and gives the dirtiest of those that are to be cleaned.
func pick(logs []Log, now time.Time) (p picked) {
	best := -1.0
	for _, l := range logs {
		st := l.Settings()
		c := l.Cleanable(now)
		if c.CleanBytes+c.DirtyBytes == 0 {
			continue
		}
		ratio := c.Ratio()
		p.dirtiest = max(p.dirtiest, ratio)
		delay := overdue(&c, st, now)
		if (delay > 0 && c.DirtyBytes > 0 || ratio > st.DirtyRatioMin) && ratio > best {
			p.log, p.delay, best = l, delay, ratio
		}
	}
	return p
}

// overdue is by how much the oldest dirty record is older than max.compaction.lag.ms, or 0.
func overdue(c *hotlog.Cleanable, st settings.Topic, now time.Time) time.Duration {
	if c.DirtySince == kafka.NoTimestamp || st.CompactionLagMax == settings.Unbounded {
		return 0
	}
	return max(0, now.Sub(c.DirtySince.Time())-st.CompactionLagMax)
}
