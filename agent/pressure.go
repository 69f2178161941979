package agent

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/varve-log/varve/agent/partition"
)

const (
	// pressureInterval is how often local disk use is held against LocalBytesMax.
	pressureInterval = time.Second
	// Above pressureHigh percent of the limit sealed segments go before their local retention is
	// over, until pressureLow percent are used.
	pressureHigh = 90
	pressureLow  = 75
)

// relieve makes room on a local disk that is nearly full: what is verified in the bucket goes (V6),
// the largest log first. Where that is not enough the largest active segment is rolled, so that it
// is sealed now and can go next.
func (a *Agent) relieve(context.Context) {
	limit := a.budget.Limit()
	if a.budget.Used() < limit/100*pressureHigh {
		return
	}
	logs := slices.SortedFunc(maps.Values(a.topology.Load().open),
		func(x, y *partition.Partition) int {
			return cmp.Compare(y.Log().SizeBytes(), x.Log().SizeBytes())
		})
	for _, p := range logs {
		over := a.budget.Used() - limit/100*pressureLow
		if over <= 0 {
			return
		}
		if err := p.ReleaseVerified(over); err != nil {
			a.warnPressure("local segments not released", p, err)
		}
	}
	for _, p := range logs {
		rolled, err := p.RollToSeal()
		if err != nil {
			a.warnPressure("segment not rolled", p, err)
		}
		if rolled {
			return
		}
	}
}

func (a *Agent) warnPressure(what string, p *partition.Partition, err error) {
	a.logger.Warn(what, "topic", p.Topic(), "partition", p.TopicPartition().Partition, "err", err)
}
