package api

import (
	"context"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
)

// askTxn runs a transition on the fake's one coordinator, whose markers are written at once.
func (f *fake) askTxn(
	do func(now time.Time, to coordinator.Token) coordinator.Effects,
) (any, error) {
	defer f.lock()()
	f.producer++
	f.txns.GiveProducerID(f.producer)
	now := time.Now()
	eff := do(now, 1)
	for _, a := range eff.Actions {
		if w, ok := a.(*txn.WriteMarkers); ok {
			eff.And(f.txns.MarkersWritten(now, w, nil))
		}
	}
	for _, r := range eff.Replies {
		return r.Value, r.Err
	}
	return nil, coordinator.ErrNotAvailable
}

// answer is a reply with its type.
func answer[T any](reply any, err error) (T, error) {
	v, _ := reply.(T)
	return v, err
}

func (f *fake) InitProducerID(
	_ context.Context, q txn.InitProducerID,
) (coordinator.Producer, error) {
	return answer[coordinator.Producer](f.askTxn(
		func(now time.Time, to coordinator.Token) coordinator.Effects {
			return f.txns.InitProducerID(now, to, q)
		}))
}

func (f *fake) AddPartitions(_ context.Context, q txn.AddPartitions) error {
	_, err := f.askTxn(func(now time.Time, to coordinator.Token) coordinator.Effects {
		return f.txns.AddPartitions(now, to, q)
	})
	return err
}

func (f *fake) VerifyPartitions(_ context.Context, q txn.VerifyPartitions) ([]error, error) {
	return answer[[]error](f.askTxn(
		func(now time.Time, to coordinator.Token) coordinator.Effects {
			return f.txns.VerifyPartitions(now, to, q)
		}))
}

func (f *fake) EndTransaction(_ context.Context, q txn.End) (coordinator.Producer, error) {
	return answer[coordinator.Producer](f.askTxn(
		func(now time.Time, to coordinator.Token) coordinator.Effects {
			return f.txns.End(now, to, q)
		}))
}

func (f *fake) DescribeTransaction(_ context.Context, id string) (txn.Description, error) {
	return answer[txn.Description](f.askTxn(
		func(now time.Time, to coordinator.Token) coordinator.Effects {
			return f.txns.Describe(now, to, id)
		}))
}

func (f *fake) ListTransactions(filter *txn.Filter) ([]txn.Listing, error) {
	defer f.lock()()
	return f.txns.List(time.Now(), filter), nil
}

func (f *fake) WriteMarker(_ context.Context, p txn.Partition, _ coordinator.Marker) error {
	t, ok := f.Topic(p.Topic)
	if !ok {
		return ErrUnknownTopic
	}
	_, err := f.Partition(kafka.TopicPartition{Topic: t.ID, Partition: p.Partition})
	return err
}

func (p *fakePartition) BeginVerification(
	kafka.ProducerID, int16, int32, bool,
) (uint64, error) {
	return 1, nil
}

func (p *fakePartition) CheckTransaction(coordinator.Producer, uint64) error { return nil }

func (p *fakePartition) CheckMarker(coordinator.Marker) error { return nil }

func (p *fakePartition) Producers() []ProducerState {
	return []ProducerState{{Producer: coordinator.Producer{ID: 7, Epoch: 1}, TxnFirstOffset: 5}}
}
