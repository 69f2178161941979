package agent

import (
	"context"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/partition"
)

// shards is what follows the leadership of an internal topic's partitions; coordinate.Shards is one.
type shards interface {
	Lead(partition int32, log api.Partition)
	Resign(partition int32)
	Close()
}

// openCoordinators makes the coordinators, which lead nothing until partitions are opened.
func (a *Agent) openCoordinators(context.Context) error {
	var err error
	if a.groups, err = a.newGroups(); err != nil {
		return err
	}
	a.txns = a.newTxns()
	a.watchTransactions()
	a.coordinators = map[string]shards{
		coordinator.OffsetsTopic: a.groups, coordinator.TransactionsTopic: a.txns,
	}
	return nil
}

// leadCoordinators lets the coordinators of opened partitions load.
func (a *Agent) leadCoordinators(opened []*partition.Partition) {
	for _, p := range opened {
		if s := a.coordinators[p.Topic()]; s != nil {
			s.Lead(p.TopicPartition().Partition, p)
		}
	}
}

// resignCoordinators ends those of partitions that are about to be closed.
func (a *Agent) resignCoordinators(gone []*partition.Partition) {
	for _, p := range gone {
		if s := a.coordinators[p.Topic()]; s != nil {
			s.Resign(p.TopicPartition().Partition)
		}
	}
}

// closeCoordinators ends all waits for coordinators, so that clients look for others.
func (a *Agent) closeCoordinators() {
	for _, s := range a.coordinators {
		s.Close()
	}
}
