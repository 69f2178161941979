package api

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/kafka"
)

// coldReadsMax bounds the partitions of one fetch that are read from the bucket at a time.
const coldReadsMax = 16

// fetch is one Fetch request (key 1).
//
// Sessions (KIP-227) are refused as Kafka allows: every answer has session id 0, which makes
// clients send whole requests; a request that goes on with a session is told that there is none.
type fetch struct {
	h         *Handler
	r         *broker.Request
	req       *kmsg.FetchRequest
	committed bool // isolation level read_committed
	bytesMax  int
	deadline  time.Time
	parts     []*fetchPart
	topics    []fetchTopic
	reserved  int64 // taken of the fetch budget
}

// fetchTopic is one topic of the request.
type fetchTopic struct {
	name       string
	id         kafka.TopicID
	from, till int // its parts
}

// fetchPart is one partition of the request and its outcome.
type fetchPart struct {
	req     *kmsg.FetchRequestTopicPartition
	code    code
	replica Partition
	offsets Offsets
	until   kafka.Offset // what may be read is below
	leader  int32        // hint for clients that asked the wrong agent, or -1
	epoch   int32

	limit  int // bytes planned; 0: nothing to read
	minOne bool
	cold   bool
	data   FetchData
}

// fetch answers Fetch. Records are read only when all earlier answers of the connection were
// written, so that a connection holds the bytes of one answer at most.
func (h *Handler) fetch(_ context.Context, r *broker.Request) error {
	req := kmsg.NewPtrFetchRequest()
	req.Version = r.Version
	if err := req.ReadFrom(r.Body); err != nil {
		return err
	}
	r.FreeBody()
	f := &fetch{h: h, r: r, req: req, committed: req.IsolationLevel == readCommitted}
	f.bytesMax = int(min(req.MaxBytes, h.backend.AgentSettings().FetchMaxBytes))
	f.deadline = r.Received.Add(time.Duration(max(req.MaxWaitMillis, 0)) * time.Millisecond)
	if r.Version >= 7 && req.SessionEpoch > 0 {
		r.Respond(f.encodeHead(r.Begin(), codeNoSession, 0))
		return nil
	}
	f.resolve()
	r.WhenFirst(f.begin)
	return nil
}

// resolve finds the replicas and checks what does not change while waiting.
func (f *fetch) resolve() {
	seen := make(map[topicIndex]bool)
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		out := fetchTopic{name: t.Topic, id: t.TopicID, from: len(f.parts)}
		topic, missing := f.topic(t)
		key := t.Topic
		if f.r.Version >= 13 {
			key = string(out.id[:])
		}
		for j := range t.Partitions {
			q := &t.Partitions[j]
			if seen[topicIndex{key, q.Partition}] {
				continue
			}
			seen[topicIndex{key, q.Partition}] = true
			part := &fetchPart{req: q, code: missing, leader: -1, epoch: -1}
			if missing == codeNone {
				f.find(topic, part)
			}
			f.parts = append(f.parts, part)
		}
		out.till = len(f.parts)
		f.topics = append(f.topics, out)
	}
}

func (f *fetch) topic(t *kmsg.FetchRequestTopic) (*Topic, code) {
	if f.r.Version >= 13 {
		if topic, ok := f.h.backend.TopicByID(t.TopicID); ok {
			return topic, codeNone
		}
		return nil, codeUnknownTopicID
	}
	if topic, ok := f.h.backend.Topic(t.Topic); ok {
		return topic, codeNone
	}
	return nil, codeUnknownTopic
}

func (f *fetch) find(t *Topic, part *fetchPart) {
	p, err := f.h.replica(t, part.req.Partition)
	if err == nil {
		part.replica = p
		err = checkEpoch(p, part.req.CurrentLeaderEpoch)
	}
	part.code = codeOf(err)
	switch part.code {
	case codeNotLeader, codeOf(ErrFencedLeaderEpoch):
		s := &t.Partitions[part.req.Partition]
		part.leader, part.epoch = s.Leader, int32(s.LeaderEpoch)
	}
}

// begin runs when the answer is due: inline if it needs neither to wait nor the bucket.
func (f *fetch) begin(ctx context.Context) {
	if f.look() {
		if cold, size := f.plan(); !cold && f.h.fetchBudget.TryAcquire(size) {
			f.reserved = size
			f.read(ctx)
			f.respond()
			return
		}
	}
	f.r.Go(f.wait)
}

// look takes the partitions' bounds and reports whether the fetch is to be answered now: enough
// bytes are there, something is wrong, or nothing is to be waited for.
func (f *fetch) look() bool {
	have, now := 0, len(f.parts) == 0 || !time.Now().Before(f.deadline)
	for _, p := range f.parts {
		if p.code != codeNone {
			now = true
			continue
		}
		p.offsets = p.replica.Offsets()
		p.until = p.offsets.HighWatermark
		if f.committed {
			p.until = p.offsets.LastStable
		}
		from := kafka.Offset(p.req.FetchOffset)
		if from < p.offsets.LogStart || from > p.offsets.LogEnd {
			p.code, now = codeOffsetRange, true
			continue
		}
		if from < p.until {
			limit := min(int(p.req.PartitionMaxBytes), f.bytesMax)
			have += max(p.replica.BytesBetween(from, p.until, limit), 1)
		}
	}
	return now || have >= int(f.req.MinBytes)
}

// wait waits for enough bytes or the deadline, then answers.
func (f *fetch) wait(ctx context.Context) {
	if err := f.await(ctx); err == nil {
		_, size := f.plan()
		if err := f.h.fetchBudget.Acquire(ctx, size); err == nil {
			f.reserved = size
			f.read(ctx)
		}
	}
	f.respond()
}

// await subscribes to the partitions and looks again after each change. It fails with the
// connection.
func (f *fetch) await(ctx context.Context) error {
	woken := make(chan struct{}, 1)
	wake := func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
	for _, p := range f.parts {
		if p.code == codeNone {
			defer p.replica.Subscribe(wake)()
		}
	}
	timer := time.NewTimer(time.Until(f.deadline))
	defer timer.Stop()
	for !f.look() {
		select {
		case <-woken:
		case <-timer.C:
		case <-f.r.Stopping():
			return nil // with what there is, so that a stop need not wait
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// plan divides the bytes of the answer among the partitions in the order of the request, and
// tells whether any needs the bucket and how many bytes there will be at most. The first
// partition that has records gives one batch however large.
func (f *fetch) plan() (cold bool, size int64) {
	left, first := max(f.bytesMax, 0), true
	for _, p := range f.parts {
		p.limit, p.minOne, p.cold = 0, false, false
		from := kafka.Offset(p.req.FetchOffset)
		if p.code != codeNone || from >= p.until || (left == 0 && !first) {
			continue
		}
		p.minOne, first = first, false
		p.limit = max(min(int(p.req.PartitionMaxBytes), left), 1)
		p.cold = from < p.offsets.LocalLogStart
		if !p.cold {
			// A batch is returned from its start, which may lie before the fetch offset: plan for
			// more than the records asked for, so that an estimate below the truth starves no
			// one.
			p.limit = min(p.limit, p.replica.BytesBetween(from, p.until, p.limit)+batchSlack)
		}
		left = max(left-p.limit, 0)
		cold = cold || p.cold
		size += int64(p.limit)
	}
	return cold, min(size, f.h.cfg.FetchBytesMax)
}

// batchSlack is added to estimates of what a hot partition will give.
const batchSlack = 64 << 10

// read reads what was planned, cold partitions side by side.
func (f *fetch) read(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, coldReadsMax)
	var coldCtx context.Context
	for _, p := range f.parts {
		switch {
		case p.limit == 0:
		case !p.cold:
			f.readOne(ctx, p)
		default:
			if coldCtx == nil {
				var cancel context.CancelFunc
				until := time.Now().Add(f.h.cfg.ColdWaitMax)
				coldCtx, cancel = context.WithDeadline(ctx, until)
				defer cancel()
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				f.readOne(coldCtx, p)
			})
		}
	}
	wg.Wait()
}

func (f *fetch) readOne(ctx context.Context, p *fetchPart) {
	data, err := p.replica.Fetch(ctx, FetchRange{
		From: kafka.Offset(p.req.FetchOffset), Until: p.until, BytesMax: p.limit, MinOne: p.minOne,
		Aborted: f.committed,
	})
	if err != nil {
		if ctx.Err() != nil {
			return // no records this time: the client asks again, and the cache goes on filling
		}
		p.code = codeOf(err)
		if troubling(p.code) && f.h.fetchLog.allow(time.Now()) {
			f.h.log.Warn("fetch failed", "partition", p.req.Partition,
				"base_offset", p.req.FetchOffset, "err", err)
		}
		return
	}
	p.data = data
}

// respond writes the answer.
func (f *fetch) respond() {
	f.r.RespondParts(f.encode())
}

// release gives back what the answer holds once it was written.
func (f *fetch) release() {
	for _, p := range f.parts {
		if p.data.Release != nil {
			p.data.Release()
		}
	}
	if f.reserved > 0 {
		f.h.fetchBudget.Release(f.reserved)
	}
}
