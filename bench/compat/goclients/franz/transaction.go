package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

type transaction struct {
	cl *kgo.Client
	id string
}

func (f *franz) Transact(ctx context.Context, id string) (driver.Transaction, error) {
	cl, err := f.client(kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, err
	}
	if _, _, err := cl.ProducerID(ctx); err != nil {
		cl.Close()
		return nil, err
	}
	return &transaction{cl, id}, nil
}

func (t *transaction) Begin(context.Context) error { return t.cl.BeginTransaction() }

func (t *transaction) Send(ctx context.Context, topic string, rs []driver.Record) error {
	return t.cl.ProduceSync(ctx, records(topic, rs)...).FirstErr()
}

// Offset sends the requests that kgo.GroupTransactSession sends; franz-go's own suite, which the
// runner runs too, tries the session itself.
func (
	t *transaction,
) Offset(ctx context.Context, group, topic string, partition int32, offset int64) error {
	producer, epoch, err := t.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = t.id, producer, epoch, group
	added, err := add.RequestWith(ctx, t.cl)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(added.ErrorCode); err != nil {
		return err
	}
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch = t.id, producer, epoch
	commit.Group = group
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	q := kmsg.NewTxnOffsetCommitRequestTopic()
	q.Topic = topic
	q.Partitions = append(q.Partitions, p)
	commit.Topics = append(commit.Topics, q)
	done, err := commit.RequestWith(ctx, t.cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(done.Topics[0].Partitions[0].ErrorCode)
}

func (t *transaction) Commit(ctx context.Context) error {
	return t.cl.EndTransaction(ctx, kgo.TryCommit)
}

func (t *transaction) Abort(ctx context.Context) error {
	return errors.Join(t.cl.AbortBufferedRecords(ctx), t.cl.EndTransaction(ctx, kgo.TryAbort))
}

func (t *transaction) Close() { t.cl.Close() }
