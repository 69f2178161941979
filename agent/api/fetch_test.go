package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

// fill appends n batches of one record of size bytes.
func fill(t testing.TB, p *fakePartition, n, size int) {
	t.Helper()
	for range n {
		b := batchOf(t, now(), string(make([]byte, size)))
		if _, err := p.Append(b, AppendOptions{AppendTime: kafka.NoTimestamp}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFetchErrors(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 2)
	fill(t, f.at("t", 0), 3, 10)
	f.at("t", 0).start = 1
	c := dial(t, serveFake(t, f))
	for name, x := range map[string]struct {
		edit func(q *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition)
		want code
	}{
		"good": {func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition) {}, codeNone},
		"at the end": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 3 }, 0,
		},
		"below": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 0 }, 1,
		},
		"above": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 4 }, 1,
		},
		"negative": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = -9 },
			1,
		},
		"partition": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 9 }, 3,
		},
		"epoch": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 3 }, 0,
		},
		"old epoch": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 2 }, 74,
		},
		"new epoch": {
			func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 4 }, 75,
		},
		"topic": {
			func(q *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { q.Topics[0].Topic = "x" }, 3,
		},
		"no longer t": {
			func(q *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { q.Topics[0].Topic = "" }, 3,
		},
	} {
		q := fetchRequest(topic, 0, 1)
		x.edit(q, &q.Topics[0].Partitions[0])
		p := ask[*kmsg.FetchResponse](c, q, 12).Topics[0].Partitions[0]
		if p.ErrorCode != x.want {
			t.Errorf("%s: %s, want %s", name, errorName(p.ErrorCode), errorName(x.want))
		}
		if x.want == codeNone && (p.HighWatermark != 3 || p.LogStartOffset != 1) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	q := fetchRequest(&Topic{ID: kafka.TopicID{8}}, 0, 0)
	if p := ask[*kmsg.FetchResponse](c, q, 13).Topics[0].Partitions[0]; p.ErrorCode != 100 {
		t.Errorf("unknown id: %s", errorName(p.ErrorCode))
	}
}

func TestFetchBytesMax(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 2)
	fill(t, f.at("t", 0), 4, 100_000)
	fill(t, f.at("t", 1), 4, 100_000)
	c := dial(t, serveFake(t, f))
	one := len(f.at("t", 0).batches[0])
	q := fetchRequest(topic, 0, 0)
	second := q.Topics[0].Partitions[0]
	second.Partition = 1
	q.Topics[0].Partitions = append(q.Topics[0].Partitions, second)
	for _, x := range []struct {
		request, partition int32
		want               [2]int
	}{
		{1 << 20, 1 << 20, [2]int{4, 4}},
		{1 << 20, 250_000, [2]int{2, 2}},
		{1 << 20, 10, [2]int{1, 0}}, // only the first partition may exceed its bound, by one batch
		{10, 1 << 20, [2]int{1, 0}},
		{0, 0, [2]int{1, 0}},
		{360_000, 250_000, [2]int{2, 1}},
	} {
		q.MaxBytes = x.request
		for i := range q.Topics[0].Partitions {
			q.Topics[0].Partitions[i].PartitionMaxBytes = x.partition
		}
		for i, p := range ask[*kmsg.FetchResponse](c, q, 11).Topics[0].Partitions {
			if len(p.RecordBatches) != x.want[i]*one {
				t.Errorf("max %d, %d: partition %d gives %d bytes, want %d batches of %d",
					x.request, x.partition, i, len(p.RecordBatches), x.want[i], one)
			}
		}
	}
	waitFor(t, func() bool {
		p := f.at("t", 0)
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.reading == 0
	})
}

// TestFetchWaits: a fetch without records answers when they are committed, and not before.
func TestFetchWaits(t *testing.T) {
	f := newFake()
	f.held = true
	topic := f.create(t, "t", 1)
	addr := serveFake(t, f)
	c, p := dial(t, addr), f.partition("t")
	q := fetchRequest(topic, 0, 0)
	q.MaxWaitMillis = 60_000
	id := c.send(q, 11)
	// A request behind the waiting fetch is handled, and answered after it.
	meta := kmsg.NewPtrProduceRequest()
	*meta = *produceRequest(topic, 0, 1, batchOf(t, now(), "v"))
	behind := c.send(meta, 9)
	waitFor(t, func() bool { return p.Offsets().LogEnd == 1 })
	p.commit()
	r := c.receive(q, id).(*kmsg.FetchResponse)
	if got := r.Topics[0].Partitions[0]; len(got.RecordBatches) == 0 || got.HighWatermark != 1 {
		t.Errorf("woken fetch: %+v", got)
	}
	c.receive(meta, behind)
}

func TestFetchMinBytes(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	c, p := dial(t, serveFake(t, f)), f.partition("t")
	fill(t, p, 1, 10)
	q := fetchRequest(topic, 0, 0)
	q.MaxWaitMillis, q.MinBytes = 60_000, int32(2*len(p.batches[0]))
	id := c.send(q, 11)
	waitFor(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.subscribers) == 1
	})
	fill(t, p, 1, 10)
	r := c.receive(q, id).(*kmsg.FetchResponse)
	if got := len(r.Topics[0].Partitions[0].RecordBatches); got != 2*len(p.batches[0]) {
		t.Errorf("%d bytes", got)
	}
	q.MaxWaitMillis, q.MinBytes = 30, 1<<20
	began := time.Now()
	if r := ask[*kmsg.FetchResponse](c, q, 11); time.Since(began) < 25*time.Millisecond ||
		len(r.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Errorf("after %s: %d bytes", time.Since(began), len(r.Topics[0].Partitions[0].RecordBatches))
	}
}

// TestFetchCold: a fetch that waits for the bucket does not keep the connection from appending.
func TestFetchCold(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	c, p := dial(t, serveFake(t, f)), f.partition("t")
	fill(t, p, 2, 10)
	p.cold, p.coldGate = 1, make(chan struct{})
	q := fetchRequest(topic, 0, 0)
	id := c.send(q, 11)
	w := produceRequest(topic, 0, 1, batchOf(t, now(), "v"))
	behind := c.send(w, 9)
	waitFor(t, func() bool { return p.Offsets().LogEnd == 3 })
	close(p.coldGate)
	r := c.receive(q, id).(*kmsg.FetchResponse)
	if len(r.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Error("no cold records")
	}
	c.receive(w, behind)
}

// TestFetchEndsWithTheServer: a shutdown does not wait for long polls.
func TestFetchEndsWithTheServer(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	s, addr := startBroker(t, f, f)
	c, p := dial(t, addr), f.partition("t")
	q := fetchRequest(topic, 0, 0)
	q.MaxWaitMillis = 60_000
	id := c.send(q, 11)
	waitFor(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.subscribers) == 1
	})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	c.receive(q, id)
	c.expectClosed()
}

// TestFetchDiverging: a client whose last record is of another history is told where it ends, and one
// whose epoch is not known that its offset is out of range (KIP-595).
func TestFetchDiverging(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	fill(t, f.partition("t"), 2, 10)
	c := dial(t, serveFake(t, f))
	for _, x := range []struct {
		offset    int64
		last      int32
		code      code
		diverging string
		records   bool
	}{
		{1, 3, codeNone, "-1 -1", true},
		{5, 3, codeNone, "3 2", false},
		{1, 4, codeNone, "3 2", false},
		{1, 2, codeOffsetRange, "-1 -1", false},
		{-1, 4, codeOffsetRange, "-1 -1", false},
	} {
		q := fetchRequest(topic, 0, x.offset)
		q.MaxWaitMillis = 60_000
		q.Topics[0].Partitions[0].LastFetchedEpoch = x.last
		p := ask[*kmsg.FetchResponse](c, q, 12).Topics[0].Partitions[0]
		got := fmt.Sprint(p.DivergingEpoch.Epoch, " ", p.DivergingEpoch.EndOffset)
		if p.ErrorCode != x.code || got != x.diverging || (len(p.RecordBatches) > 0) != x.records {
			t.Errorf("%+v: %s, %s, %d bytes", x, errorName(p.ErrorCode), got, len(p.RecordBatches))
		}
	}
}

// TestFetchReleasedMeanwhile: a partition that was released between the plan and the read was read
// from the bucket on the connection's own goroutine, so that nothing behind it was handled.
func TestFetchReleasedMeanwhile(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	c, p := dial(t, serveFake(t, f)), f.partition("t")
	fill(t, p, 2, 10)
	p.coldGate = make(chan struct{})
	p.releaseOnRead = true
	q := fetchRequest(topic, 0, 0)
	id := c.send(q, 11)
	w := produceRequest(topic, 0, 1, batchOf(t, now(), "v"))
	behind := c.send(w, 9)
	waitFor(t, func() bool { return p.Offsets().LogEnd == 3 })
	close(p.coldGate)
	r := c.receive(q, id).(*kmsg.FetchResponse)
	if len(r.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Error("no cold records")
	}
	c.receive(w, behind)
}

// TestFetchOneBatchOfTheNext: where the first partition gives nothing after all, the next one may give
// a batch larger than the bounds, so that one of them goes on.
func TestFetchOneBatchOfTheNext(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 2)
	fill(t, f.at("t", 0), 1, 10)
	fill(t, f.at("t", 1), 1, 1000)
	f.at("t", 0).empty = true
	c := dial(t, serveFake(t, f))
	q := fetchRequest(topic, 0, 0)
	second := q.Topics[0].Partitions[0]
	second.Partition = 1
	q.Topics[0].Partitions = append(q.Topics[0].Partitions, second)
	for i := range q.Topics[0].Partitions {
		q.Topics[0].Partitions[i].PartitionMaxBytes = 10
	}
	r := ask[*kmsg.FetchResponse](c, q, 11).Topics[0].Partitions
	if len(r[0].RecordBatches) != 0 || len(r[1].RecordBatches) == 0 {
		t.Errorf("%d and %d bytes", len(r[0].RecordBatches), len(r[1].RecordBatches))
	}
}
