package agent

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/internal/objstore/open"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/tiering/cache"
	"github.com/varve-log/varve/tiering/replay"
)

// tinySegments makes a topic whose segments hold a few batches and are sealed and released at once.
func tinySegments(t *testing.T, a *Agent, topic string) {
	t.Helper()
	create(t, a, topic, 1, "internal.segment.bytes", "2048", "local.retention.bytes", "2048",
		"varve.seal.max.age.ms", "50")
}

func one(t *testing.T, c *kgo.Client, topic, value string) {
	t.Helper()
	r := &kgo.Record{Topic: topic, Value: []byte(value + strings.Repeat(".", 200))}
	if err := c.ProduceSync(testContext(t), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// story interleaves a transaction that spans many segments with small ones that commit and abort, and
// gives what a read_committed consumer sees while the long one is open, and after its end.
func story(t *testing.T, a *Agent, topic string, commit bool) (before, after []string) {
	t.Helper()
	long := client(t, a, kgo.TransactionalID("long-"+topic))
	short := client(t, a, kgo.TransactionalID("short-"+topic), version1())
	for i := range 5 {
		v := fmt.Sprintf("before-%d", i)
		if err := ended(t, short, topic, true, v); err != nil {
			t.Fatal(err)
		}
		before = append(before, v)
	}
	if err := long.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		v := fmt.Sprintf("long-%d", i)
		one(t, long, topic, v)
		if commit {
			after = append(after, v)
		}
		s := fmt.Sprintf("short-%d", i)
		if err := ended(t, short, topic, i%2 == 0, s); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			after = append(after, s)
		}
	}
	first := offsetAtCommitted(t, a, topic)
	if sealed := int64(replica(t, a, topic).VerifiedEnd()); sealed > first {
		t.Fatalf("sealed up to %d, the last stable offset is %d", sealed, first)
	}
	if got := committedValues(t, a, topic, len(before)); !slices.Equal(got, before) {
		t.Fatalf("while it is open: %v", got)
	}
	if err := long.EndTransaction(testContext(t), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
	return before, append(before, after...)
}

// offsetAtCommitted is the latest offset that a read_committed consumer is told.
func offsetAtCommitted(t *testing.T, a *Agent, topic string) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, 1
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = -1
	rt.Partitions = append(rt.Partitions, p)
	req.Topics = append(req.Topics, rt)
	got := ask[*kmsg.ListOffsetsResponse](t, a, req).Topics[0].Partitions[0]
	noError(t, got.ErrorCode)
	return got.Offset
}

// committedValues reads n values in the order of the log and sees that no other follows at once.
func committedValues(t *testing.T, a *Agent, topic string, n int) (out []string) {
	t.Helper()
	c := client(t, a, append(consumeAll(topic), committed())...)
	defer c.Close()
	ctx := testContext(t)
	for len(out) < n {
		f := c.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%d of %d values: %v", len(out), n, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			out = append(out, strings.TrimRight(string(r.Value), "."))
		})
	}
	return out
}

// replayed reads the sealed part as varve replay does.
func replayedValues(t *testing.T, cfg Config, topic string, i replay.Isolation) (out []string) {
	t.Helper()
	ctx := testContext(t)
	store, err := open.Open(ctx, cfg.Store, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r, err := catalog.OpenReader(ctx, store)
	if err != nil {
		t.Fatal(err)
	}
	state, ok := r.State().Topic(topic)
	if !ok {
		t.Fatalf("no topic %s", topic)
	}
	m := r.Partition(kafka.TopicPartition{Topic: state.ID})
	head, err := m.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	footers := cache.NewFooters(store, cache.DefaultFooterConfig(), nil)
	defer footers.Close()
	reader, err := replay.New(store, footers, replay.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	it, err := reader.Open(ctx, m, replay.Options{From: head.LogStartOffset, To: head.SealedEnd()})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for {
		run, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for b := range run.Visible(i) {
			rs := b.Records(record.DefaultLimits())
			for rs.Next() {
				out = append(out, strings.TrimRight(string(rs.Record().Value), "."))
			}
			rs.Close()
		}
		run.Release()
	}
}

// A transaction that spans segments is the same from the hot log, across the seam, from sealed segments
// and after the loss of the disk; wherever its marker lies.
func TestTransactionsOverBothTiers(t *testing.T) {
	for name, commit := range map[string]bool{"committed": true, "aborted": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			a := start(t, cfg)
			tinySegments(t, a, "t")
			_, want := story(t, a, "t", commit)
			if got := committedValues(t, a, "t", len(want)); !sameSet(got, want) {
				t.Fatalf("hot and cold: %v", got)
			}
			seal(t, a, "t")
			log := replica(t, a, "t").Log()
			await(t, "segments to be released", func() bool {
				return log.LocalLogStartOffset() > log.LogEndOffset()-50
			})
			if got := committedValues(t, a, "t", len(want)); !sameSet(got, want) {
				t.Fatalf("mostly cold: %v", got)
			}
			if got := replayedValues(t, cfg, "t", replay.ReadCommitted); !sameSet(got, want) {
				t.Fatalf("replayed: %v", got)
			}
			if got := replayedValues(t, cfg, "t", replay.ReadUncommitted); len(got) != 5+80 {
				t.Fatalf("replayed with aborted ones: %d", len(got))
			}
			stop(t, a)
			a = start(t, newDisk(t, cfg))
			if got := committedValues(t, a, "t", len(want)); !sameSet(got, want) {
				t.Fatalf("on a new disk: %v", got)
			}
			c := client(t, a, kgo.TransactionalID("long-t"), version1())
			if err := ended(t, c, "t", true, "new"); err != nil {
				t.Fatal(err)
			}
			got := committedValues(t, a, "t", len(want)+1)
			if got[len(want)] != "new" {
				t.Fatalf("after the loss: %v", got)
			}
		})
	}
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// The disk is lost after the beginning of a transaction was sealed, with its end: the log that goes on
// has the producer as it was sealed, in the middle of the transaction, and nothing hangs.
func TestADiskLostInTheMiddleOfWhatWasSealed(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "internal.segment.bytes", "2048", "varve.seal.max.age.ms", "3600000")
	long := client(t, a, kgo.TransactionalID("long"))
	if err := long.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		one(t, long, "t", fmt.Sprint(i))
	}
	if err := long.EndTransaction(testContext(t), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	await(t, "rolled segments to be sealed", func() bool { return replica(t, a, "t").VerifiedEnd() > 20 })
	end := int64(replica(t, a, "t").VerifiedEnd())
	a.kill()
	a = start(t, newDisk(t, cfg))
	if got := offsetAtCommitted(t, a, "t"); got != end {
		t.Fatalf("the last stable offset is %d, sealed is %d", got, end)
	}
	c := client(t, a, kgo.TransactionalID("other"), version1())
	if err := ended(t, c, "t", true, "new"); err != nil {
		t.Fatal(err)
	}
	if got := committedValues(t, a, "t", 1); !slices.Equal(got, []string{"new"}) {
		t.Fatalf("committed: %v", got)
	}
}
