package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinate"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
)

var _ api.Transactions = (*Agent)(nil)

// newTxns makes the transaction coordinators.
func (a *Agent) newTxns() *coordinate.Shards[*txn.Machine] {
	return coordinate.New(coordinate.Parts[*txn.Machine]{
		Topic: coordinator.TransactionsTopic, Logger: a.logger,
		Metrics: coordinate.NewMetrics(a.registry, coordinator.TransactionsTopic),
		New: func(_, leaderEpoch int32) *txn.Machine {
			return txn.New(a.txnConfig(), leaderEpoch)
		},
		Act: a.actForTxn,
	})
}

// txnConfig is what the agent's settings mean for coordinators.
func (a *Agent) txnConfig() txn.Config {
	t := a.topology.Load().settings.Transactions
	return txn.Config{
		MaxTimeout: t.MaxTimeout, IDExpiration: t.IDExpiration,
		AbortInterval: t.AbortInterval, RemoveInterval: t.RemoveInterval,
		ConcurrentWait: t.ConcurrentWait, TwoPhase: t.TwoPhase,
	}
}

// askTxn runs a transition of a transactional id's coordinator, if that is this agent, and waits for its
// reply. A transition that needs a producer id runs again with one.
func (a *Agent) askTxn(
	ctx context.Context, id string,
	do func(m *txn.Machine, now time.Time, to coordinator.Token) coordinator.Effects,
) (any, error) {
	topic, ok := a.Topic(coordinator.TransactionsTopic)
	if !ok { // nobody asked for a coordinator yet
		return nil, fmt.Errorf("%w: there is no %s",
			coordinator.ErrNotCoordinator, coordinator.TransactionsTopic)
	}
	p := coordinator.PartitionFor(id, int32(len(topic.Partitions)))
	v, err := a.txns.Ask(ctx, p, do)
	if !errors.Is(err, txn.ErrNeedsProducerID) {
		return v, err
	}
	fresh, err := a.NextProducerID(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: no producer id: %w", coordinator.ErrLoading, err)
	}
	return a.txns.Ask(ctx, p,
		func(m *txn.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			m.GiveProducerID(fresh)
			return do(m, now, to)
		})
}

// InitProducerID implements api.Transactions.
func (a *Agent) InitProducerID(
	ctx context.Context, q txn.InitProducerID,
) (coordinator.Producer, error) {
	return coordinate.Answer[coordinator.Producer](a.askTxn(ctx, q.ID,
		func(m *txn.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.InitProducerID(now, to, q)
		}))
}

// AddPartitions implements api.Transactions.
func (a *Agent) AddPartitions(ctx context.Context, q txn.AddPartitions) error {
	_, err := a.askTxn(ctx, q.ID,
		func(m *txn.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.AddPartitions(now, to, q)
		})
	return err
}

// VerifyPartitions implements api.Transactions.
func (a *Agent) VerifyPartitions(
	ctx context.Context, q txn.VerifyPartitions,
) ([]error, error) {
	return coordinate.Answer[[]error](a.askTxn(ctx, q.ID,
		func(m *txn.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.VerifyPartitions(now, to, q)
		}))
}

// EndTransaction implements api.Transactions.
func (a *Agent) EndTransaction(ctx context.Context, q txn.End) (coordinator.Producer, error) {
	return coordinate.Answer[coordinator.Producer](a.askTxn(ctx, q.ID,
		func(m *txn.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.End(now, to, q)
		}))
}

// DescribeTransaction implements api.Transactions.
func (a *Agent) DescribeTransaction(ctx context.Context, id string) (txn.Description, error) {
	return coordinate.Answer[txn.Description](a.askTxn(ctx, id,
		func(m *txn.Machine, now time.Time, to coordinator.Token) coordinator.Effects {
			return m.Describe(now, to, id)
		}))
}

// ListTransactions implements api.Transactions.
func (a *Agent) ListTransactions(f *txn.Filter) ([]txn.Listing, error) {
	var out []txn.Listing
	loading := a.txns.Each(func(_ int32, m *txn.Machine, now time.Time) {
		out = append(out, m.List(now, f)...)
	})
	if len(loading) > 0 {
		return nil, fmt.Errorf("%w: %d partitions of %s", coordinator.ErrLoading, len(loading),
			coordinator.TransactionsTopic)
	}
	return out, nil
}
