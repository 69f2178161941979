package load

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/varve-log/varve/internal/histogram"
)

// Transactions says what to send in transactions, by franz-go's producer. Addr and Topic are the
// caller's.
type Transactions struct {
	// Addr is the broker's host:port, Topic a topic with at least Producers partitions.
	Addr, Topic string
	// Producers is how many there are, each with a transactional id and a partition of its own, 1 to 64.
	Producers int
	// Records is how many there are in a transaction, 1 to 100,000; RecordBytes is the size of a value.
	Records, RecordBytes int
	// Duration ends the run, after the transaction under way.
	Duration time.Duration
}

// DefaultTransactions is 100 records of 1 KiB in a transaction for five seconds.
func DefaultTransactions() Transactions {
	return Transactions{Producers: 2, Records: 100, RecordBytes: 1 << 10, Duration: 5 * time.Second}
}

// Validate names the field that cannot be.
func (t Transactions) Validate() error {
	for _, f := range []struct {
		name             string
		value, low, high int64
	}{
		{"producers", int64(t.Producers), 1, 64},
		{"records", int64(t.Records), 1, 100_000},
		{"record bytes", int64(t.RecordBytes), 1, slabBytes},
		{"duration", int64(t.Duration), 1, int64(24 * time.Hour)},
	} {
		if f.value < f.low || f.value > f.high {
			return fmt.Errorf("%s is %d: must be %d to %d", f.name, f.value, f.low, f.high)
		}
	}
	return nil
}

// Run produces and commits one transaction after another. Latency is per transaction, from its beginning
// to the answer to its end.
func (t Transactions) Run(ctx context.Context) (Result, error) {
	if err := t.Validate(); err != nil {
		return Result{}, err
	}
	clients := make([]*kgo.Client, t.Producers)
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range clients {
		var err error
		if clients[i], err = t.open(ctx, i); err != nil {
			return Result{}, err
		}
	}
	latency := &histogram.Histogram{}
	var committed atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	begun := time.Now()
	for i, c := range clients {
		group.Go(func() error {
			for time.Since(begun) < t.Duration {
				from := time.Now()
				if err := t.one(ctx, c, int32(i)); err != nil {
					return err
				}
				latency.Add(time.Since(from))
				committed.Add(int64(t.Records))
			}
			return nil
		})
	}
	err := group.Wait()
	n := committed.Load()
	return Result{
		Records: n, Bytes: n * int64(t.RecordBytes), Elapsed: time.Since(begun), Latency: latency,
	}, err
}

// open makes a producer that has its producer id and knows the cluster's transaction version.
func (t Transactions) open(ctx context.Context, i int) (*kgo.Client, error) {
	c, err := kgo.NewClient(
		kgo.SeedBrokers(t.Addr), kgo.TransactionalID(fmt.Sprintf("%s-%d", t.Topic, i)),
		kgo.DefaultProduceTopic(t.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0),
	)
	if err != nil {
		return nil, err
	}
	if err = c.Ping(ctx); err == nil {
		err = t.one(ctx, c, int32(i)) // before the clock starts: connections, ids, coordinators
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("first transaction: %w", err)
	}
	return c, nil
}

// one is a transaction.
func (t Transactions) one(ctx context.Context, c *kgo.Client, partition int32) error {
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	var failed atomic.Pointer[error]
	value := make([]byte, t.RecordBytes)
	for range t.Records {
		r := &kgo.Record{Value: value, Partition: partition}
		c.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return errors.Join(*err, c.EndTransaction(ctx, kgo.TryAbort))
	}
	return c.EndTransaction(ctx, kgo.TryCommit)
}
