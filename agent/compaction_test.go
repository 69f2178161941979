package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

// keyTable is what a compacted topic should hold, written to through a client.
type keyTable struct {
	t      *testing.T
	topic  string
	rng    *rand.Rand
	values map[string]string
	n      int
}

func newKeyTable(t *testing.T, topic string) *keyTable {
	return &keyTable{
		t: t, topic: topic, rng: rand.New(rand.NewPCG(7, 7)), values: map[string]string{},
	}
}

// record makes the next change of a key, a fifth of them deletions.
func (b *keyTable) record() *kgo.Record {
	b.n++
	r := &kgo.Record{Topic: b.topic, Key: fmt.Appendf(nil, "key-%d", b.rng.IntN(40))}
	if b.rng.IntN(5) > 0 {
		r.Value = fmt.Appendf(nil, "%d-%s", b.n, strings.Repeat("x", 100))
	}
	return r
}

func (b *keyTable) apply(rs ...*kgo.Record) {
	for _, r := range rs {
		if r.Value == nil {
			delete(b.values, string(r.Key))
		} else {
			b.values[string(r.Key)] = string(r.Value)
		}
	}
}

func (b *keyTable) write(a *Agent, n int) {
	b.t.Helper()
	c := client(b.t, a)
	defer c.Close()
	for range n {
		r := b.record()
		if err := c.ProduceSync(testContext(b.t), r).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		b.apply(r)
	}
}

// transactions writes n transactions, of which every other one is aborted.
func (b *keyTable) transactions(a *Agent, n int) {
	b.t.Helper()
	c := client(b.t, a, kgo.TransactionalID("writer"))
	defer c.Close()
	ctx := testContext(b.t)
	for i := range n {
		if err := c.BeginTransaction(); err != nil {
			b.t.Fatal(err)
		}
		rs := []*kgo.Record{b.record(), b.record(), b.record()}
		for _, r := range rs {
			c.Produce(ctx, r, func(_ *kgo.Record, err error) {
				if err != nil {
					b.t.Error(err)
				}
			})
		}
		if err := c.Flush(ctx); err != nil {
			b.t.Fatal(err)
		}
		if err := c.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)); err != nil {
			b.t.Fatal(err)
		}
		if i%2 == 0 {
			b.apply(rs...)
		}
	}
}

// check reads the topic from the start up to a last record, and tells how many records there were.
func (b *keyTable) check(a *Agent) int {
	b.t.Helper()
	end := fmt.Sprint("end-", b.n)
	b.n++
	c := client(b.t, a, kgo.ConsumeTopics(b.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer c.Close()
	last := &kgo.Record{Topic: b.topic, Key: []byte("end"), Value: []byte(end)}
	if err := c.ProduceSync(testContext(b.t), last).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	got, count, before := map[string]string{}, 0, int64(-1)
	for got["end"] != end {
		fetches := c.PollFetches(testContext(b.t))
		if err := fetches.Err(); err != nil {
			b.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset <= before {
				b.t.Fatalf("offset %d after %d", r.Offset, before)
			}
			before = r.Offset
			count++
			if r.Value == nil {
				delete(got, string(r.Key))
			} else {
				got[string(r.Key)] = string(r.Value)
			}
		})
	}
	delete(got, "end")
	if !maps.Equal(got, b.values) {
		b.t.Fatalf("read %d keys, want %d: %v, %v", len(got), len(b.values), got, b.values)
	}
	return count
}

// cleaned waits until a topic has nothing dirty but its active segment.
func cleaned(t *testing.T, a *Agent, topic string) {
	t.Helper()
	log := replica(t, a, topic).Log()
	await(t, "the log to be cleaned", func() bool {
		if _, err := log.Roll(); err != nil { // again: markers come behind the end of a transaction
			t.Fatal(err)
		}
		c := replica(t, a, topic).Cleanable(time.Now())
		return c.DirtyBytes == 0 && c.FirstDirtyOffset == log.LastStableOffset()
	})
}

func TestCompactedTopic(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "cleanup.policy", "compact", "internal.segment.bytes", "8192",
		"min.cleanable.dirty.ratio", "0", "delete.retention.ms", "0")
	b := newKeyTable(t, "t")
	b.write(a, 600)
	b.transactions(a, 20)
	cleaned(t, a, "t")
	if n := b.check(a); n > 100 {
		t.Errorf("%d records of 40 keys", n)
	}
	b.write(a, 100)
	a.kill()
	a = start(t, cfg)
	b.check(a)
	b.write(a, 100)
	cleaned(t, a, "t")
	b.check(a)
	stop(t, a)
	a = start(t, cfg)
	b.check(a)
	if end := replica(t, a, "t").VerifiedEnd(); end != 0 {
		t.Errorf("sealed up to %d", end)
	}
	stop(t, a)
}

func TestCompactedTopicRefusesRecordsWithoutKey(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 1, "cleanup.policy", "compact")
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.ZstdCompression()} {
		c := client(t, a, kgo.ProducerBatchCompression(codec))
		r := &kgo.Record{Topic: "t", Value: []byte(strings.Repeat("no key", 100))}
		err := c.ProduceSync(testContext(t), r).FirstErr()
		if !errors.Is(err, kerr.InvalidRecord) {
			t.Fatal(err)
		}
	}
	got := produceBatch(t, a, "t", batchOf(t, 1, "value"))
	if got.ErrorCode != kerr.InvalidRecord.Code || len(got.ErrorRecords) != 1 ||
		got.ErrorRecords[0].RelativeOffset != 0 || !strings.Contains(
		*got.ErrorRecords[0].ErrorMessage, "Compacted topic cannot accept message without key") {
		t.Fatalf("%+v, %s", got, *got.ErrorRecords[0].ErrorMessage)
	}
	stop(t, a)
}

// describeConfig asks for one setting of a topic.
func describeConfig(t *testing.T, a *Agent, topic, name string) string {
	t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	r.ConfigNames = []string{name}
	req.Resources = append(req.Resources, r)
	got := ask[*kmsg.DescribeConfigsResponse](t, a, req).Resources[0]
	noError(t, got.ErrorCode)
	return *got.Configs[0].Value
}

// A topic that is sealed becomes compacted: what was sealed stays readable, what follows is cleaned,
// and reads cross between them. Then it is sealed again, with the gaps that cleaning left.
func TestPolicyChangesOnALiveTopic(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	a := start(t, cfg)
	create(t, a, "t", 1, "internal.segment.bytes", "8192", "min.cleanable.dirty.ratio", "0",
		"delete.retention.ms", "0", "local.retention.bytes", "16384")
	b := newKeyTable(t, "t")
	b.write(a, 600)
	seal(t, a, "t")
	sealed := replica(t, a, "t").VerifiedEnd()
	await(t, "local segments to go", func() bool {
		return replica(t, a, "t").Log().LocalLogStartOffset() > 100
	})
	if got := describeConfig(t, a, "t", "remote.storage.enable"); got != "true" {
		t.Fatalf("remote.storage.enable=%s", got)
	}

	alter(t, a, "t", "cleanup.policy", "compact", "retention.ms", "1")
	if got := describeConfig(t, a, "t", "remote.storage.enable"); got != "false" {
		t.Fatalf("remote.storage.enable=%s", got)
	}
	await(t, "the change to count", func() bool { st := replica(t, a, "t").Settings(); return st.Compacts() })
	b.write(a, 600)
	cleaned(t, a, "t")
	b.check(a)
	log := replica(t, a, "t").Log()
	if log.LogStartOffset() != 0 || replica(t, a, "t").VerifiedEnd() != sealed {
		t.Fatalf("log start %d, sealed up to %d, was %d", log.LogStartOffset(),
			replica(t, a, "t").VerifiedEnd(), sealed)
	}
	a.kill()
	a = start(t, cfg)
	b.check(a)

	alter(t, a, "t", "cleanup.policy", "delete", "retention.ms", "-1")
	await(t, "the change to count", func() bool { st := replica(t, a, "t").Settings(); return st.Seals() })
	b.write(a, 20)
	seal(t, a, "t")
	if end := replica(t, a, "t").VerifiedEnd(); end <= sealed+600 {
		t.Fatalf("sealed up to %d", end)
	}
	b.check(a)
	seal(t, a, "t")
	stop(t, a)
	a = start(t, newDisk(t, cfg)) // all of it from the bucket
	b.check(a)
	stop(t, a)
	clean(t, cfg)
}

// A topic with both policies loses old segments, too, without being sealed.
func TestCompactAndDelete(t *testing.T) {
	t.Parallel()
	a := start(t, testConfig(t))
	create(t, a, "t", 1, "cleanup.policy", "compact,delete", "retention.ms", "-1",
		"min.cleanable.dirty.ratio", "0")
	c := client(t, a)
	old := time.Now().Add(-time.Hour)
	for i := range 5 {
		r := &kgo.Record{Topic: "t", Key: fmt.Append(nil, i), Value: []byte("old"), Timestamp: old}
		if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	cleaned(t, a, "t")
	alter(t, a, "t", "retention.ms", "600000")
	await(t, "the log start to move", func() bool { return offsetAt(t, a, "t", -2).Offset == 5 })
	if start := replica(t, a, "t").Log().LocalLogStartOffset(); start != kafka.Offset(5) {
		t.Errorf("local log start %d", start)
	}
	stop(t, a)
}
