package txn

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// capturedFile is what Apache Kafka 4.3.1 wrote to __transaction_state, and what it said of it.
const capturedFile = "captured/kafka-4.3.1.json"

var captureFrom = flag.String("capture", "", "address of an Apache Kafka to write the captured file from")

type captured struct {
	Records []capturedRecord
	States  []capturedState
}

type capturedRecord struct{ Key, Value []byte }

type capturedState struct {
	ID, State     string
	ProducerID    int64
	ProducerEpoch int16
	TimeoutMs     int64
	Partitions    []Partition
}

// What Kafka wrote is replayed into the state that Kafka reports.
func TestKafkasLog(t *testing.T) {
	if *captureFrom != "" {
		capture(t)
	}
	raw, err := os.ReadFile(capturedFile)
	if err != nil {
		t.Fatal(err)
	}
	var c captured
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	m := New(DefaultConfig(), 1)
	for i, r := range c.Records {
		s := coordinator.Stored{
			Record: coordinator.Record{Key: r.Key, Value: r.Value}, Offset: kafka.Offset(i),
		}
		if err := m.Replay(s); err != nil {
			t.Fatal(err)
		}
	}
	if m.Len() != len(c.States) {
		t.Errorf("%d ids, Kafka has %d", m.Len(), len(c.States))
	}
	for _, want := range c.States {
		d, ok := m.Describe(start, 1, want.ID).Replies[0].Value.(Description)
		if !ok {
			t.Errorf("%s is not there", want.ID)
			continue
		}
		got := capturedState{
			ID: d.ID, State: d.State.String(), ProducerID: int64(d.Producer.ID),
			ProducerEpoch: d.Producer.Epoch, TimeoutMs: d.Timeout.Milliseconds(),
			Partitions: d.Partitions,
		}
		if !equalStates(got, want) {
			t.Errorf("%+v, Kafka says %+v", got, want)
		}
	}
	// What this version writes of the same state has the same bytes.
	for _, r := range c.Records {
		if r.Value == nil {
			continue
		}
		id, _ := decodeKey(r.Key)
		was, _ := decode(r.Value)
		if again := encode(id, &was); string(again.Key) != string(r.Key) ||
			len(was.partitions) < 2 && string(again.Value) != string(r.Value) {
			t.Errorf("%s: %x is written as %x", id, r.Value, again.Value)
		}
	}
}

func equalStates(a, b capturedState) bool {
	same := slices.Equal(a.Partitions, b.Partitions)
	a.Partitions, b.Partitions = nil, nil
	return same && a.ID == b.ID && a.State == b.State && a.ProducerID == b.ProducerID &&
		a.ProducerEpoch == b.ProducerEpoch && a.TimeoutMs == b.TimeoutMs
}

// capture makes transactions of every kind on a Kafka and writes down its log and its answers. Run it
// with -capture 127.0.0.1:19092.
func capture(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	plain, err := kgo.NewClient(kgo.SeedBrokers(*captureFrom))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	create := kmsg.NewPtrCreateTopicsRequest()
	for _, topic := range []string{"a", "b"} {
		q := kmsg.NewCreateTopicsRequestTopic()
		q.Topic, q.NumPartitions, q.ReplicationFactor = topic, 3, 1
		create.Topics = append(create.Topics, q)
	}
	if _, err := create.RequestWith(ctx, plain); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*kversion.Versions{
		"new": nil, "old": kversion.V3_7_0(),
	} {
		captureKinds(t, name, v)
	}
	var c captured
	list, err := kmsg.NewPtrListTransactionsRequest().RequestWith(ctx, plain)
	if err != nil {
		t.Fatal(err)
	}
	describe := kmsg.NewPtrDescribeTransactionsRequest()
	for _, l := range list.TransactionStates {
		describe.TransactionalIDs = append(describe.TransactionalIDs, l.TransactionalID)
	}
	slices.Sort(describe.TransactionalIDs)
	described, err := describe.RequestWith(ctx, plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range described.TransactionStates {
		s := capturedState{
			ID: d.TransactionalID, State: d.State, ProducerID: d.ProducerID,
			ProducerEpoch: d.ProducerEpoch, TimeoutMs: int64(d.TimeoutMillis),
		}
		set := partitionSet{}
		for _, topic := range d.Topics {
			for _, p := range topic.Partitions {
				set[Partition{topic.Topic, p}] = struct{}{}
			}
		}
		s.Partitions = set.sorted()
		c.States = append(c.States, s)
	}
	c.Records = logOf(t)
	out, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll("captured", 0o755), os.WriteFile(capturedFile, out, 0o644)); err != nil {
		t.Fatal(err)
	}
}

// captureKinds leaves an id behind in every state that can be held.
func captureKinds(t *testing.T, name string, v *kversion.Versions) {
	t.Helper()
	ctx := t.Context()
	begin := func(id string, partitions ...int32) *kgo.Client {
		c, err := kgo.NewClient(kgo.SeedBrokers(*captureFrom), kgo.MaxVersions(v),
			kgo.TransactionalID(name+"-"+id), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.TransactionTimeout(10*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Ping(ctx); err != nil { // so that it knows the cluster's transaction.version
			t.Fatal(err)
		}
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, p := range partitions {
			for _, topic := range []string{"a", "b"} {
				r := &kgo.Record{Topic: topic, Partition: p, Value: []byte("v")}
				if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		return c
	}
	for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		id := map[kgo.TransactionEndTry]string{kgo.TryCommit: "committed", kgo.TryAbort: "aborted"}[commit]
		c := begin(id, 0, 2)
		if err := c.EndTransaction(ctx, commit); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	begin("ongoing", 0, 1).CloseAllowingRebalance()
	begin("fenced", 1).CloseAllowingRebalance()
	c := begin("fenced", 2)
	if err := c.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	c.Close()
	empty := begin("empty")
	if _, _, err := empty.ProducerID(ctx); err != nil {
		t.Fatal(err)
	}
	empty.Close()
}

// logOf reads __transaction_state to its end.
func logOf(t *testing.T) (out []capturedRecord) {
	t.Helper()
	const topic = coordinator.TransactionsTopic
	c, err := kgo.NewClient(kgo.SeedBrokers(*captureFrom), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for {
		quiet, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		f := c.PollFetches(quiet)
		cancel()
		if f.NumRecords() == 0 {
			return out
		}
		f.EachRecord(func(r *kgo.Record) { out = append(out, capturedRecord{r.Key, r.Value}) })
	}
}
