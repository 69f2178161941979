package agent

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// ended produces values in one transaction and ends it.
func ended(t *testing.T, c *kgo.Client, topic string, commit bool, values ...string) error {
	t.Helper()
	ctx := testContext(t)
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for i, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(v), Partition: int32(i % 2)})
	}
	for _, r := range records { // one by one, see version1
		if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
			return errors.Join(err, c.EndTransaction(ctx, kgo.TryAbort))
		}
	}
	return c.EndTransaction(ctx, kgo.TransactionEndTry(commit))
}

// version1 makes a client speak transaction version 1. Under version 2 franz-go 1.22 notes that a
// partition is part of the transaction after it told of the first record's success: a commit asked for
// between the two becomes an abort, which a transaction of one record may meet.
func version1() kgo.Opt { return kgo.MaxVersions(kversion.V3_7_0()) }

// consumed reads n values, sorted.
func consumed(t *testing.T, a *Agent, topic string, n int, opts ...kgo.Opt) []string {
	t.Helper()
	c := client(t, a, append(opts, kgo.ConsumeTopics(topic))...)
	defer c.Close()
	ctx := testContext(t)
	var out []string
	for len(out) < n {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%d of %d values: %v", len(out), n, err)
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, string(r.Value)) })
	}
	slices.Sort(out)
	return out
}

func committed() kgo.Opt { return kgo.FetchIsolationLevel(kgo.ReadCommitted()) }

// Both protocols: version 2, and what clients before KIP-890 speak.
func TestTransactions(t *testing.T) {
	for name, versions := range map[string]*kversion.Versions{
		"version 2": nil, "version 1": kversion.V3_7_0(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, testConfig(t))
			c := client(t, a, kgo.TransactionalID("tx"), kgo.MaxVersions(versions),
				kgo.RecordPartitioner(kgo.ManualPartitioner()))
			create(t, a, "t", 2)
			if err := c.Ping(testContext(t)); err != nil { // so that it learns transaction.version
				t.Fatal(err)
			}
			for i, commit := range []bool{true, false, true, false, true} {
				err := ended(t, c, "t", commit, fmt.Sprint(i, "a"), fmt.Sprint(i, "b"), fmt.Sprint(i, "c"))
				if err != nil {
					t.Fatal(err)
				}
			}
			epoch := map[string]int16{"version 2": 5, "version 1": 0}[name]
			if got := described(t, a, "tx"); got.ProducerEpoch != epoch {
				t.Fatalf("%+v", got)
			}
			want := []string{"0a", "0b", "0c", "2a", "2b", "2c", "4a", "4b", "4c"}
			if got := consumed(t, a, "t", 9, committed()); !slices.Equal(got, want) {
				t.Fatalf("committed: %v", got)
			}
			if got := consumed(t, a, "t", 15); len(got) != 15 {
				t.Fatalf("uncommitted: %v", got)
			}
		})
	}
}

func described(
	t *testing.T, a *Agent, id string,
) kmsg.DescribeTransactionsResponseTransactionState {
	t.Helper()
	q := kmsg.NewPtrDescribeTransactionsRequest()
	q.TransactionalIDs = []string{id}
	return ask[*kmsg.DescribeTransactionsResponse](t, a, q).TransactionStates[0]
}

// A second instance fences the first, whose open transaction is aborted.
func TestASecondInstanceFences(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 2)
	ctx := testContext(t)
	first := client(t, a, kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("t"))
	if err := first.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := first.ProduceSync(ctx, kgo.StringRecord("zombie")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	second := client(t, a, kgo.TransactionalID("tx"), version1(), kgo.DefaultProduceTopic("t"))
	if err := ended(t, second, "t", true, "good"); err != nil {
		t.Fatal(err)
	}
	err := first.ProduceSync(ctx, kgo.StringRecord("late")).FirstErr()
	if err == nil {
		err = first.EndTransaction(ctx, kgo.TryCommit)
	}
	if err == nil {
		t.Fatal("the first instance is not fenced")
	}
	if got := consumed(t, a, "t", 1, committed()); !slices.Equal(got, []string{"good"}) {
		t.Fatalf("committed: %v", got)
	}
}

// A transaction that takes too long is aborted, and what it wrote is never read.
func TestTransactionsTimeOut(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Settings = map[string]string{
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "100",
	}
	a := start(t, cfg)
	create(t, a, "t", 1)
	ctx := testContext(t)
	slow := client(t, a, kgo.TransactionalID("slow"), kgo.DefaultProduceTopic("t"),
		kgo.TransactionTimeout(500*time.Millisecond))
	if err := slow.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := slow.ProduceSync(ctx, kgo.StringRecord("slow")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	quick := client(t, a, kgo.TransactionalID("quick"), version1(), kgo.DefaultProduceTopic("t"))
	if err := ended(t, quick, "t", true, "quick"); err != nil {
		t.Fatal(err)
	}
	// Read behind the slow one: only once it is aborted.
	if got := consumed(t, a, "t", 1, committed()); !slices.Equal(got, []string{"quick"}) {
		t.Fatalf("committed: %v", got)
	}
	if err := slow.EndTransaction(ctx, kgo.TryCommit); err == nil {
		t.Fatal("the slow one committed")
	}
}

// The agent is killed at every stage of a transaction; it ends all the same.
func TestTransactionsOutliveTheAgent(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 2)
	c := client(t, a, kgo.TransactionalID("tx"), version1(), kgo.DefaultProduceTopic("t"))
	if err := ended(t, c, "t", true, "before"); err != nil {
		t.Fatal(err)
	}
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(testContext(t), kgo.StringRecord("open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	a.kill()
	a = start(t, cfg)
	again := client(t, a, kgo.TransactionalID("tx"), version1(), kgo.DefaultProduceTopic("t"))
	if err := ended(t, again, "t", true, "after"); err != nil {
		t.Fatal(err)
	}
	want := []string{"after", "before"}
	if got := consumed(t, a, "t", 2, committed()); !slices.Equal(got, want) {
		t.Fatalf("committed: %v", got)
	}
}

// An operator sees a transaction that hangs and ends it by a marker of his own, as kafka-transactions
// does.
func TestATransactionIsAbortedByHand(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 1)
	c := client(t, a, kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("t"))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(testContext(t), kgo.StringRecord("hangs")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	list := ask[*kmsg.ListTransactionsResponse](t, a, kmsg.NewPtrListTransactionsRequest())
	if len(list.TransactionStates) != 1 || list.TransactionStates[0].TransactionState != "Ongoing" {
		t.Fatalf("%+v", list)
	}
	d := described(t, a, "tx")
	if d.State != "Ongoing" || len(d.Topics) != 1 || d.Topics[0].Topic != "t" {
		t.Fatalf("%+v", d)
	}
	p := kmsg.NewPtrDescribeProducersRequest()
	p.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "t", Partitions: []int32{0}}}
	producers := func() kmsg.DescribeProducersResponseTopicPartitionActiveProducer {
		return ask[*kmsg.DescribeProducersResponse](t, a, p).Topics[0].Partitions[0].ActiveProducers[0]
	}
	open := producers()
	if open.CurrentTxnStartOffset != 0 || open.ProducerID != d.ProducerID {
		t.Fatalf("%+v", open)
	}
	if n, _ := a.hangingTransactions(time.Now().Add(19 * time.Minute)); n != 0 {
		t.Fatal("it hangs too early")
	}
	if n, age := a.hangingTransactions(time.Now().Add(time.Hour)); n != 1 || age < time.Hour {
		t.Fatalf("%d hang, for %s", n, age)
	}
	w := kmsg.NewPtrWriteTxnMarkersRequest()
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch = open.ProducerID, int16(open.ProducerEpoch)
	m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "t", Partitions: []int32{0}}}
	w.Markers = append(w.Markers, m)
	r := ask[*kmsg.WriteTxnMarkersResponse](t, a, w).Markers[0].Topics[0].Partitions[0]
	if r.ErrorCode != 0 {
		t.Fatal(kerr.ErrorForCode(r.ErrorCode))
	}
	if n, age := a.hangingTransactions(time.Now().Add(time.Hour)); n != 0 || age != 0 {
		t.Fatalf("%d hang still, for %s", n, age)
	}
	if after := producers(); after.CurrentTxnStartOffset != -1 {
		t.Fatalf("%+v", after)
	}
}

// Records and the offsets they come from count together, or not at all.
func TestOffsetsOfATransaction(t *testing.T) {
	for name, versions := range map[string]*kversion.Versions{
		"version 2": nil, "version 1": kversion.V3_7_0(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Settings = map[string]string{"group.initial.rebalance.delay.ms": "0"}
			a := start(t, cfg)
			create(t, a, "in", 2)
			create(t, a, "out", 2)
			ctx := testContext(t)
			feed := client(t, a, kgo.DefaultProduceTopic("in"))
			for i := range 20 {
				if err := feed.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			done := 0
			for round := 0; done < 20; round++ {
				done += transform(t, a, versions, round%3 != 1)
			}
			if got := consumed(t, a, "out", 20, committed()); len(slices.Compact(got)) != 20 {
				t.Fatalf("committed: %v", got)
			}
		})
	}
}

// transform is one instance of a consumer that produces what it reads, for one transaction. It gives
// the number of records that it committed.
func transform(t *testing.T, a *Agent, v *kversion.Versions, commit bool) int {
	t.Helper()
	ctx := testContext(t)
	s, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(a.Addr().String()), kgo.MaxVersions(v), kgo.TransactionalID("transform"),
		kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), committed(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Client().Ping(ctx); err != nil {
		t.Fatal(err)
	}
	f := s.PollRecords(ctx, 7)
	if err := f.Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(); err != nil {
		t.Fatal(err)
	}
	n := 0
	f.EachRecord(func(r *kgo.Record) {
		n++
		s.Produce(ctx, &kgo.Record{Topic: "out", Value: r.Value}, func(_ *kgo.Record, err error) {
			if err != nil && commit {
				t.Error(err)
			}
		})
	})
	ended, err := s.End(ctx, kgo.TransactionEndTry(commit))
	if err != nil {
		t.Fatal(err)
	}
	if !ended {
		return 0
	}
	return n
}
