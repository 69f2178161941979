package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/varve-log/varve/bench/jvm"
)

const perTransaction = 100

// write writes transactions at the source, each over all partitions. Every fourth is aborted.
func (r *run) write(ctx context.Context, transactions int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.source.Bootstrap), kgo.TransactionalID("writer"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := range transactions {
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
		var rs []*kgo.Record
		for range perTransaction {
			rs = append(rs, record(r.number))
			r.number++
		}
		err := cl.ProduceSync(ctx, rs...).FirstErr()
		end := kgo.TransactionEndTry(i%4 != 3)
		if end {
			r.committed += perTransaction
		}
		if err := errors.Join(err, cl.EndTransaction(ctx, end)); err != nil {
			return fmt.Errorf("write at the source: %w", err)
		}
	}
	return nil
}

// record is what the number stands for: some have no key, no value, or headers.
func record(n int) *kgo.Record {
	rec := &kgo.Record{
		Partition: int32(n % partitions), Key: []byte("k" + strconv.Itoa(n)),
		Value: []byte("v" + strconv.Itoa(n)), Timestamp: time.UnixMilli(time.Now().UnixMilli() - 1_000_000),
	}
	switch n % 10 {
	case 7:
		rec.Key = nil
	case 8:
		rec.Value = nil
	case 9:
		rec.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte{0, 0xff}}, {Key: "null"}}
	}
	return rec
}

// sameRecords waits until the copy has as many records as the source, and compares them.
func (r *run) sameRecords(ctx context.Context) error {
	want, err := r.readSource(ctx)
	if err != nil {
		return err
	}
	count := 0
	got := make([][]*kgo.Record, partitions)
	end := time.Now().Add(copyTime)
	for { // the copy does not exist at first
		count, got = 0, make([][]*kgo.Record, partitions)
		err := jvm.Follow(ctx, r.Bootstrap, copyTime, []string{copied}, func(rec *kgo.Record) bool {
			got[rec.Partition] = append(got[rec.Partition], rec)
			count++
			return count == want.count
		})
		if err == nil {
			break
		}
		if time.Now().After(end) || ctx.Err() != nil {
			return fmt.Errorf("%d of %d records came over: %w", count, want.count, err)
		}
	}
	for p := range partitions {
		if len(got[p]) != len(want.records[p]) {
			return fmt.Errorf("partition %d: %d records, want %d", p, len(got[p]), len(want.records[p]))
		}
		for i, rec := range got[p] {
			if !equal(rec, want.records[p][i]) {
				return fmt.Errorf("partition %d: record %d is %v, want %v", p, i, rec, want.records[p][i])
			}
		}
	}
	fmt.Printf("mirror: %d records are the same at both ends\n", count)
	return nil
}

// equal says whether two records are the same but for their topic and offset, null told from empty.
func equal(a, b *kgo.Record) bool {
	same := func(a, b []byte) bool { return (a == nil) == (b == nil) && string(a) == string(b) }
	return same(a.Key, b.Key) && same(a.Value, b.Value) && a.Timestamp.Equal(b.Timestamp) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y kgo.RecordHeader) bool {
			return x.Key == y.Key && same(x.Value, y.Value)
		})
}

// contents are the committed records of the source by partition, in order.
type contents struct {
	records [partitions][]*kgo.Record
	count   int
}

// readSource reads up to the last committed record, which is known since no transaction is open.
func (r *run) readSource(ctx context.Context) (contents, error) {
	var c contents
	want := r.committed
	err := jvm.Follow(ctx, r.source.Bootstrap, copyTime, []string{topic}, func(rec *kgo.Record) bool {
		c.records[rec.Partition] = append(c.records[rec.Partition], rec)
		c.count++
		return c.count == want
	})
	return c, err
}
