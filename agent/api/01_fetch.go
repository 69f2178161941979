package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/kafka"
)

// coldReadsMax bounds the partitions of one fetch that are read from the bucket at a time.
const coldReadsMax = 16

// fetch is one Fetch request (key 1): whole, or the next one of a session (fetch_session.go).
type fetch struct {
	h         *Handler
	r         *broker.Request
	committed bool // isolation level read_committed
	bytesMin  int
	bytesMax  int
	deadline  time.Time
	byID      bool // topics are named by id
	parts     []*fetchPart
	reserved  int64 // taken of the fetch budget

	wantsSession bool          // the answer begins one
	session      *fetchSession // the answer is the next of it
	epoch        int32         // that the session has after this request
}

// fetchAsk is what a request says.
type fetchAsk struct {
	byID   bool
	want   []wanted
	forget []fetchKey
}

// fetchPart is one partition of the answer.
type fetchPart struct {
	wanted
	code    code
	replica Partition
	offsets Offsets
	until   kafka.Offset // what may be read is below
	leader  int32        // hint for clients that asked the wrong agent, or -1
	epoch   int32
	// diverging is where the log leaves that of the client (KIP-595): it gets no records.
	diverging *EpochEnd

	limit  int // bytes planned; 0: nothing to read
	minOne bool
	cold   bool
	data   FetchData
}

// told is what the answer says of the partition.
func (p *fetchPart) told() told {
	if p.code != codeNone {
		return nothingTold
	}
	return told{high: p.offsets.HighWatermark, start: p.offsets.LogStart}
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
	f := &fetch{h: h, r: r, committed: req.IsolationLevel == readCommitted, byID: r.Version >= 13}
	f.bytesMax = int(max(min(req.MaxBytes, h.backend.AgentSettings().FetchMaxBytes), 0))
	f.bytesMin = min(int(req.MinBytes), f.bytesMax)
	f.deadline = r.Received.Add(time.Duration(max(req.MaxWaitMillis, 0)) * time.Millisecond)
	want, c := f.open(req)
	if c != codeNone {
		r.Respond(f.encodeHead(r.Begin(), c, 0, 0))
		return nil
	}
	f.resolve(want)
	r.WhenFirst(f.begin)
	return nil
}

// open finds what a request wants, by its session or by itself.
func (f *fetch) open(req *kmsg.FetchRequest) ([]wanted, code) {
	q := f.request(req)
	sessions := f.h.sessions
	switch epoch := req.SessionEpoch; {
	case f.r.Version < 7:
	case epoch == initialEpoch, epoch == finalEpoch:
		if req.SessionID != 0 {
			sessions.remove(req.SessionID)
		}
		f.wantsSession = epoch == initialEpoch
	default:
		s, all, c := sessions.resume(time.Now(), req.SessionID, epoch, &q)
		if s != nil || c != codeNone {
			f.session, f.epoch = s, nextSessionEpoch(epoch)
			return all, c
		}
	}
	return distinct(q.want), codeNone
}

// request lists what a request names.
func (f *fetch) request(req *kmsg.FetchRequest) fetchAsk {
	q := fetchAsk{byID: f.byID}
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	q.want = make([]wanted, 0, n)
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			q.want = append(q.want, wanted{
				fetchKey: f.key(t.Topic, t.TopicID, p.Partition),
				offset:   kafka.Offset(p.FetchOffset), bytesMax: p.PartitionMaxBytes,
				leaderEpoch: p.CurrentLeaderEpoch, lastEpoch: p.LastFetchedEpoch,
			})
		}
	}
	for i := range req.ForgottenTopics {
		t := &req.ForgottenTopics[i]
		for _, p := range t.Partitions {
			q.forget = append(q.forget, f.key(t.Topic, t.TopicID, p))
		}
	}
	return q
}

func (f *fetch) key(name string, id [16]byte, partition int32) fetchKey {
	if f.byID {
		return fetchKey{id: id, partition: partition}
	}
	return fetchKey{name: name, partition: partition}
}

// distinct keeps of a partition that is asked for more than once what is said last.
func distinct(want []wanted) []wanted {
	if len(want) < 2 {
		return want
	}
	at := make(map[fetchKey]int, len(want))
	out := want[:0]
	for _, w := range want {
		if i, ok := at[w.fetchKey]; ok {
			out[i] = w
			continue
		}
		at[w.fetchKey] = len(out)
		out = append(out, w)
	}
	return out
}

// resolve finds the replicas and checks what does not change while waiting.
func (f *fetch) resolve(want []wanted) {
	store := make([]fetchPart, len(want))
	f.parts = make([]*fetchPart, len(want))
	var topic *Topic
	var missing code
	for i := range want {
		p := &store[i]
		p.wanted, p.leader, p.epoch = want[i], -1, -1
		if i == 0 || p.name != want[i-1].name || p.id != want[i-1].id {
			topic, missing = f.topic(&p.fetchKey)
		}
		if p.code = missing; missing == codeNone {
			f.find(topic, p)
		}
		f.parts[i] = p
	}
}

func (f *fetch) topic(k *fetchKey) (*Topic, code) {
	if f.byID {
		if topic, ok := f.h.backend.TopicByID(k.id); ok {
			return topic, codeNone
		}
		return nil, codeUnknownTopicID
	}
	if topic, ok := f.h.backend.Topic(k.name); ok {
		return topic, codeNone
	}
	return nil, codeUnknownTopic
}

func (f *fetch) find(t *Topic, part *fetchPart) {
	p, err := f.h.replica(t, part.partition)
	if err == nil {
		part.replica = p
		err = checkEpoch(p, part.leaderEpoch)
	}
	part.code = codeOf(err)
	switch part.code {
	case codeNotLeader, codeOf(ErrFencedLeaderEpoch):
		s := &t.Partitions[part.partition]
		part.leader, part.epoch = s.Leader, int32(s.LeaderEpoch)
	}
}

// begin runs when the answer is due: inline if it needs neither to wait nor the bucket.
func (f *fetch) begin(ctx context.Context) {
	if f.look(ctx) {
		if cold, size := f.plan(); !cold && f.h.fetchBudget.TryAcquire(size) {
			f.reserved = size
			if f.readHot(ctx) {
				f.respond()
			} else { // released since it was planned
				f.r.Go(func(ctx context.Context) {
					f.readCold(ctx)
					f.respond()
				})
			}
			return
		}
	}
	f.r.Go(f.wait)
}

// look takes the partitions' bounds and reports whether the fetch is to be answered now: enough
// bytes are there, something is wrong, or nothing is to be waited for.
func (f *fetch) look(ctx context.Context) bool {
	have, now := 0, len(f.parts) == 0 || !time.Now().Before(f.deadline)
	for _, p := range f.parts {
		if p.code == codeNone {
			f.lookAt(ctx, p)
		}
		switch {
		case p.code != codeNone || p.diverging != nil:
			now = true
		case p.offset < p.until:
			limit := min(int(p.bytesMax), f.bytesMax)
			have += max(p.replica.BytesBetween(p.offset, p.until, limit), 1)
		}
	}
	return now || have >= f.bytesMin
}

// lookAt takes one partition's bounds and checks the offset against them.
func (f *fetch) lookAt(ctx context.Context, p *fetchPart) {
	p.offsets = p.replica.Offsets()
	p.until = p.offsets.HighWatermark
	if f.committed {
		p.until = p.offsets.LastStable
	}
	if p.offset < p.offsets.LogStart {
		p.code = codeOffsetRange
		return
	}
	if p.lastEpoch >= 0 {
		end, err := p.replica.EpochEnd(ctx, kafka.LeaderEpoch(p.lastEpoch))
		switch {
		case err != nil:
			p.code = codeOf(err)
		case end.Epoch < 0 || end.End < 0:
			p.code = codeOffsetRange
		case end.Epoch < kafka.LeaderEpoch(p.lastEpoch) || end.End < p.offset:
			p.diverging = &end
			return
		}
	}
	if p.offset > p.offsets.LogEnd {
		p.code = codeOffsetRange
	}
}

// wait waits for enough bytes or the deadline, then answers.
func (f *fetch) wait(ctx context.Context) {
	if err := f.await(ctx); err == nil {
		_, size := f.plan()
		if err := f.h.fetchBudget.Acquire(ctx, size); err == nil {
			f.reserved = size
			if !f.readHot(ctx) {
				f.readCold(ctx)
			}
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
	for !f.look(ctx) {
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
	left, first := f.bytesMax, true
	for _, p := range f.parts {
		p.limit, p.minOne, p.cold = 0, false, false
		if p.code != codeNone || p.diverging != nil || p.offset >= p.until || (left == 0 && !first) {
			continue
		}
		p.minOne, first = first, false
		p.limit = max(min(int(p.bytesMax), left), 1)
		p.cold = p.offset < p.offsets.LocalLogStart
		if !p.cold {
			// A batch is returned from its start, which may lie before the fetch offset: plan for
			// more than the records asked for, so that an estimate below the truth starves no
			// one.
			p.limit = min(p.limit, p.replica.BytesBetween(p.offset, p.until, p.limit)+batchSlack)
		}
		left = max(left-p.limit, 0)
		cold = cold || p.cold
		size += int64(p.limit)
	}
	return cold, min(size, f.h.cfg.FetchBytesMax)
}

// batchSlack is added to estimates of what a hot partition will give.
const batchSlack = 64 << 10

// readHot reads what was planned from the local disk and reports whether that is all. The right to
// one batch however large goes on to the next partition where the first gives nothing.
func (f *fetch) readHot(ctx context.Context) (all bool) {
	all = true
	unused := false
	for _, p := range f.parts {
		if p.limit == 0 {
			continue
		}
		p.minOne = p.minOne || unused
		if !p.cold {
			f.readOne(ctx, p, true)
		}
		all = all && !p.cold
		unused = p.minOne && !p.cold && p.code == codeNone && len(p.data.Records) == 0
	}
	return all
}

// readCold reads what was planned from the bucket, partitions side by side.
func (f *fetch) readCold(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, time.Now().Add(f.h.cfg.ColdWaitMax))
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, coldReadsMax)
	for _, p := range f.parts {
		if p.limit > 0 && p.cold {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				f.readOne(ctx, p, false)
			})
		}
	}
	wg.Wait()
}

func (f *fetch) readOne(ctx context.Context, p *fetchPart, hot bool) {
	data, err := p.replica.Fetch(ctx, FetchRange{
		From: p.offset, Until: p.until, BytesMax: p.limit, MinOne: p.minOne,
		Aborted: f.committed, HotOnly: hot,
	})
	if err != nil {
		if hot && errors.Is(err, ErrCold) {
			p.cold = true
			return
		}
		if ctx.Err() != nil {
			return // no records this time: the client asks again, and the cache goes on filling
		}
		p.code = codeOf(err)
		if troubling(p.code) && f.h.fetchLog.allow(time.Now()) {
			f.h.log.Warn("fetch failed", "partition", p.partition, "base_offset", p.offset, "err", err)
		}
		return
	}
	p.data = data
}

// respond writes the answer: all parts, or those that the session has news of.
func (f *fetch) respond() {
	parts, id, c := f.parts, int32(0), codeNone
	switch {
	case f.session != nil:
		id = f.session.id
		parts, c = f.session.answer(f.epoch, f.parts)
	case f.wantsSession:
		slots := f.h.backend.AgentSettings().FetchSessionSlots
		id = f.h.sessions.create(time.Now(), slots, f.byID, f.parts)
	}
	f.r.RespondParts(f.encode(parts, id, c))
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
