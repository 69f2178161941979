package partition

import (
	"time"

	"github.com/varve-log/varve/agent/hotlog"
	"github.com/varve-log/varve/compaction/keys"
)

// Cleanable tells how dirty the log of a compacted topic is.
func (p *Partition) Cleanable(now time.Time) hotlog.Cleanable {
	return p.log.Cleanable(p.cleanOptions(now))
}

// Clean drops from the log what is compacted away; see hotlog.Log. Only what lies below the last
// stable offset is touched, so what is cleaned is committed and decided.
func (p *Partition) Clean(
	m *keys.Map, now time.Time, pace func(bytes int) error,
) (hotlog.Cleaned, error) {
	o := p.cleanOptions(now)
	o.Map, o.Pace = m, pace
	return p.log.Clean(o)
}

func (p *Partition) cleanOptions(now time.Time) hotlog.CleanOptions {
	st := p.Settings()
	return hotlog.CleanOptions{
		Stable: p.LastStableOffset(), MinLag: st.CompactionLagMin,
		DeleteRetention: st.DeleteRetention, Now: now,
	}
}
