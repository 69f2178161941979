package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/varve-log/varve/agent/api"
	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/txn"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

// actForTxn carries out what transaction coordinators ask for. Markers are appended before it returns,
// so that those of one coordinator stay in order; what has to be waited for is waited for elsewhere.
func (a *Agent) actForTxn(partition int32, actions []any) {
	for _, each := range actions {
		switch do := each.(type) {
		case *txn.WriteMarkers:
			a.writeMarkers(partition, do)
		case txn.NeedProducerID:
			go a.giveProducerID(partition)
		}
	}
}

// giveProducerID brings a coordinator a producer id. Where there is none now, it asks again.
func (a *Agent) giveProducerID(partition int32) {
	id, err := a.NextProducerID(a.running)
	if err != nil {
		a.logger.Warn("no producer id for a transaction's end", "partition", partition, "err", err)
		return
	}
	_ = a.txns.Tell(partition, func(m *txn.Machine, _ time.Time) (e coordinator.Effects) {
		m.GiveProducerID(id)
		return e
	}) // one that does not hear it asks again
}

// writeMarkers ends a transaction in its partitions and tells its coordinator what became of it.
func (a *Agent) writeMarkers(partition int32, of *txn.WriteMarkers) {
	m := coordinator.Marker{
		Producer: of.Producer, CoordinatorEpoch: of.CoordinatorEpoch, Commit: of.Commit,
		Version: int16(of.Version),
	}
	waits := make([]func() error, len(of.Partitions))
	for i, p := range of.Partitions {
		waits[i] = a.appendMarker(p, m)
	}
	go func() {
		var failed []txn.Partition
		for i, committed := range waits {
			if p := of.Partitions[i]; a.lacksMarker(of, p, committed()) {
				failed = append(failed, p)
			}
		}
		_ = a.txns.Tell(partition, func(m *txn.Machine, now time.Time) coordinator.Effects {
			return m.MarkersWritten(now, of, failed)
		}) // a coordinator that is gone is loaded again, and asks again
	}()
}

// lacksMarker reports that a marker is to be tried again.
func (a *Agent) lacksMarker(of *txn.WriteMarkers, p txn.Partition, err error) bool {
	log := a.logger.With("topic", p.Topic, "partition", p.Partition,
		"transactional_id", of.ID, "producer_id", int64(of.Producer.ID), "err", err)
	switch {
	case err == nil:
		return false
	case errors.Is(err, api.ErrUnknownTopic), errors.Is(err, api.ErrUnknownPartition):
		log.Info("partition of a transaction is gone, its marker is dropped")
		return false
	case errors.Is(err, api.ErrInvalidProducerEpoch):
		// A newer epoch wrote there, after its own end of this transaction: nothing is open any more.
		log.Warn("marker refused, the transaction was ended there by other means")
		return false
	}
	log.Debug("marker not written, trying again")
	return true
}

// appendMarker appends a marker to a partition that this agent leads. committed waits for its commit.
func (a *Agent) appendMarker(p txn.Partition, m coordinator.Marker) (committed func() error) {
	failed := func(err error) func() error { return func() error { return err } }
	topic, ok := a.Topic(p.Topic)
	if !ok {
		return failed(fmt.Errorf("%s: %w", p.Topic, api.ErrUnknownTopic))
	}
	replica, err := a.Partition(kafka.TopicPartition{Topic: topic.ID, Partition: p.Partition})
	switch {
	case err != nil:
		return failed(err)
	case p.Topic == coordinator.OffsetsTopic: // the group's coordinator settles the offsets with it
		return a.groups.End(p.Partition, m)
	}
	kind := record.Abort
	if m.Commit {
		kind = record.Commit
	}
	batch := record.NewMarker(kind, m.Producer.ID, m.Producer.Epoch, m.CoordinatorEpoch,
		kafka.TimestampOf(time.Now()))
	got, err := replica.Append(batch, api.AppendOptions{
		RequiredAcks: -1, AppendTime: kafka.NoTimestamp, Coordinator: true,
		TransactionVersion: m.Version,
	})
	if err != nil {
		return failed(err)
	}
	done := make(chan error, 1)
	replica.OnCommitted(got.NextOffset, func(err error) { done <- err })
	return func() error { return <-done }
}

// WriteMarker implements api.Transactions.
func (a *Agent) WriteMarker(ctx context.Context, p txn.Partition, m coordinator.Marker) error {
	done := make(chan error, 1)
	committed := a.appendMarker(p, m)
	go func() { done <- committed() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", api.ErrTimedOut, ctx.Err())
	}
}
