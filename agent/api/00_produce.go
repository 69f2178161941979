package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/varve-log/varve/agent/broker"
	"github.com/varve-log/varve/kafka"
)

// producedFrom is the first version of Produce that is served: 0 to 2 are advertised and refused by
// closing the connection, as Kafka 4 does (KIP-896).
const producedFrom = 3

// adminClientID is the client that may write to internal topics, as in Kafka.
const adminClientID = "__admin_client"

// acksAll is the required acks of that name.
const acksAll = -1

var errOldProduce = errors.New("produce before version 3 (message format 0 and 1) is not served")

// produce is the state of one Produce request (key 0). It is reused.
type produce struct {
	h       *Handler
	r       *broker.Request
	checker checker
	acks    int16
	timeout time.Duration
	topics  []producedTopic
	parts   []*producedPart
	used    int // of parts
	// verdicts are those of the parts, in order, where a transactional id was given.
	verdicts []verdict
	txnID    []byte // aliases the request's body; nil: none was given

	mu      sync.Mutex
	waiting int  // parts that are not committed yet, and one for the handler until it is through
	done    bool // answered
	expired bool // answered for lack of time: callbacks may still come, so it is never reused
	timer   *time.Timer
	stop    func() bool // of the watch on the connection's end
}

// producedTopic is one topic of the request. name aliases the request's body.
type producedTopic struct {
	name       []byte
	id         kafka.TopicID
	from, till int // its parts
}

// producedPart is one partition's outcome.
type producedPart struct {
	partition int32
	fault     fault
	records   []recordError // why, where it is for single records
	appended  Appended
	waits     bool // for its commit
	leader    int32
	epoch     int32
	committed func(error) // made once, so that waiting for a commit allocates nothing
}

// produce answers Produce. It appends at once, so that the appends of a connection keep their
// order, and answers when the records are committed as far as the client asked for.
func (h *Handler) produce(ctx context.Context, r *broker.Request) error {
	if r.Version < producedFrom {
		return errOldProduce
	}
	p, _ := h.produces.Get().(*produce)
	if p == nil {
		p = &produce{h: h}
	}
	p.begin(r)
	if err := p.run(ctx); err != nil {
		return err
	}
	if p.acks == 0 {
		p.endSilently()
		return nil
	}
	p.settle(ctx)
	return nil
}

func (p *produce) begin(r *broker.Request) {
	p.r, p.topics, p.used = r, p.topics[:0], 0
	p.waiting, p.done, p.expired, p.timer, p.stop = 1, false, false, nil, nil
	p.checker.version = r.Version
	p.checker.now = kafka.TimestampOf(r.Received)
}

// run decodes the request and appends what it holds. An error means that it cannot be decoded; what
// was appended before stays, as the client learns nothing of it.
func (p *produce) run(ctx context.Context) error {
	w := wire{b: p.r.Body, flexible: p.r.Version >= 9}
	if err := p.scan(w); err != nil { // nothing is appended of a request that is cut short
		return err
	}
	p.txnID, _ = w.str()
	p.acks = w.int16()
	p.timeout = time.Duration(w.int32()) * time.Millisecond
	p.verify(ctx, aliasString(p.txnID), w)
	for n := w.array(2); n > 0; n-- {
		t := producedTopic{from: p.used}
		topic, f := p.topic(&w, &t)
		for m := w.array(4); m > 0; m-- {
			part := p.part(w.int32())
			records := w.bytes()
			w.tags()
			if part.fault = f; f.code == codeNone {
				p.append(topic, part, records)
			}
			if part.fault.code != codeNone {
				p.h.metrics.failed("Produce", part.fault.code)
			}
		}
		w.tags()
		t.till = p.used
		p.topics = append(p.topics, t)
	}
	return nil
}

// scan checks that the whole request can be decoded.
func (p *produce) scan(w wire) error {
	w.str()
	w.int16()
	w.int32()
	for n := w.array(2); n > 0 && !w.bad; n-- {
		if p.r.Version >= 13 {
			w.take(16)
		} else if _, ok := w.str(); !ok {
			return errors.New("null topic name")
		}
		for m := w.array(4); m > 0 && !w.bad; m-- {
			w.int32()
			w.bytes()
			w.tags()
		}
		w.tags()
	}
	w.tags()
	if w.bad {
		return errors.New("truncated or impossible length")
	}
	return nil
}

// topic reads a topic's name or id and finds it.
func (p *produce) topic(w *wire, t *producedTopic) (*Topic, fault) {
	if p.r.Version >= 13 {
		copy(t.id[:], w.take(16))
		if topic, ok := p.h.backend.TopicByID(t.id); ok {
			return topic, fault{}
		}
		return nil, fault{codeUnknownTopicID, ""}
	}
	t.name, _ = w.str()
	if topic, ok := p.h.backend.Topic(aliasString(t.name)); ok {
		return topic, fault{}
	}
	return nil, fault{codeUnknownTopic, ""}
}

// part takes the next free outcome.
func (p *produce) part(partition int32) *producedPart {
	if p.used == len(p.parts) {
		part := &producedPart{}
		part.committed = func(err error) { p.committed(part, err) }
		p.parts = append(p.parts, part)
	}
	part := p.parts[p.used]
	p.used++
	part.partition, part.fault, part.records, part.waits = partition, fault{}, nil, false
	part.appended = Appended{
		BaseOffset: -1, LogStartOffset: -1, AppendTime: kafka.NoTimestamp,
	}
	part.leader, part.epoch = -1, -1
	return part
}

// append validates and appends the records of one partition.
func (p *produce) append(t *Topic, part *producedPart, records []byte) {
	if p.acks < acksAll || p.acks > 1 {
		part.fault = fault{codeInvalidAcks, ""}
		return
	}
	if t.Internal && p.r.ClientID != adminClientID {
		part.fault = fault{codeInvalidTopic, "clients may not write to an internal topic"}
		return
	}
	replica, err := p.h.replica(t, part.partition)
	if err != nil {
		part.fault = fault{codeOf(err), ""}
		if part.fault.code == codeNotLeader {
			part.leader = t.Partitions[part.partition].Leader
			part.epoch = int32(t.Partitions[part.partition].LeaderEpoch)
		}
		return
	}
	batch, at, f := p.checker.check(records, &t.Settings)
	if part.fault = f; f.code != codeNone {
		part.records = p.checker.errs.list
		return
	}
	o := AppendOptions{RequiredAcks: p.acks, AppendTime: at}
	if batch.IsTransactional() {
		if part.fault = p.transactional(&o); part.fault.code != codeNone {
			return
		}
	}
	got, err := replica.Append(batch, o)
	if err != nil {
		part.fault = p.h.appendFault(t, part.partition, err)
		return
	}
	part.appended = got
	p.h.metrics.producedBytes.Add(float64(len(batch)))
	p.h.metrics.producedBatches.Inc()
	if p.acks == acksAll || p.acks == 1 && got.MustFlush {
		part.waits = true
		p.mu.Lock()
		p.waiting++
		p.mu.Unlock()
		replica.OnCommitted(got.NextOffset, part.committed)
	}
}

// appendFault translates an append's error and logs what an operator should know.
func (h *Handler) appendFault(t *Topic, partition int32, err error) fault {
	f := faultOf(err)
	if troubling(f.code) && h.appendLog.allow(time.Now()) {
		h.log.Warn("append failed", "topic", t.Name, "partition", partition, "err", err)
	}
	return f
}

// committed is called when a part's records are committed or cannot be any more.
func (p *produce) committed(part *producedPart, err error) {
	p.mu.Lock()
	if p.done {
		p.mu.Unlock()
		return
	}
	part.waits = false
	if err != nil {
		part.fault = faultOf(err)
		p.h.metrics.failed("Produce", part.fault.code)
	}
	p.release()
}

// settle answers if everything is committed, and else sees to it that an answer comes in time.
func (p *produce) settle(ctx context.Context) {
	p.mu.Lock()
	if p.waiting > 1 {
		p.timer = time.AfterFunc(p.timeout, p.expire)
		p.stop = context.AfterFunc(ctx, p.expire)
	}
	p.release()
}

// release counts one wait less, and answers after the last. p.mu is held and given back.
func (p *produce) release() {
	p.waiting--
	last := p.waiting == 0
	if last {
		p.done = true
	}
	p.mu.Unlock()
	if last {
		p.respond()
	}
}

// expire answers although records are not committed yet.
func (p *produce) expire() {
	p.mu.Lock()
	if p.done {
		p.mu.Unlock()
		return
	}
	p.done, p.expired = true, true
	for _, part := range p.parts[:p.used] {
		if part.waits {
			part.fault = fault{codeTimedOut, "the records were not committed in time"}
		}
	}
	p.mu.Unlock()
	p.respond()
}

// respond writes the answer.
func (p *produce) respond() {
	if p.timer != nil {
		inTime := p.timer.Stop()
		if !p.stop() || !inTime {
			p.expired = true // expire has begun in another goroutine and will look at p
		}
	}
	p.r.Respond(p.encode(p.r.Begin()))
	p.recycle()
}

// endSilently ends a request with acks=0: there is no answer, but an error closes the connection,
// so that the client looks for the leader anew.
func (p *produce) endSilently() {
	for _, part := range p.parts[:p.used] {
		if part.fault.code != codeNone {
			p.r.Close(fmt.Errorf("produce with acks=0 failed: %s %s",
				errorName(part.fault.code), part.fault.message))
			p.recycle()
			return
		}
	}
	p.r.NoResponse()
	p.recycle()
}

func (p *produce) recycle() {
	if !p.expired {
		p.r = nil
		clear(p.topics)
		p.h.produces.Put(p)
	}
}

// encode appends the response.
func (p *produce) encode(b []byte) []byte {
	v := p.r.Version
	flexible := v >= 9
	var nodes []Agent
	b = appendCount(b, len(p.topics), flexible)
	for i := range p.topics {
		t := &p.topics[i]
		if v >= 13 {
			b = append(b, t.id[:]...)
		} else {
			b = appendString(b, t.name, flexible)
		}
		b = appendCount(b, t.till-t.from, flexible)
		for _, part := range p.parts[t.from:t.till] {
			b = part.encode(b, v)
			if part.leader >= 0 {
				nodes = p.h.addNode(nodes, part.leader)
			}
		}
		if flexible {
			b = append(b, 0)
		}
	}
	b = appendInt32(b, 0) // throttle time
	switch {
	case v >= 10:
		b = appendNodesTag(b, nodes)
	case flexible:
		b = append(b, 0)
	}
	return b
}

func (q *producedPart) encode(b []byte, v int16) []byte {
	b = appendInt32(b, q.partition)
	b = appendInt16(b, q.fault.code)
	base, start := q.appended.BaseOffset, q.appended.LogStartOffset
	if q.fault.code != codeNone {
		base, start = -1, -1
	}
	b = appendInt64(b, int64(base))
	b = appendInt64(b, int64(q.appended.AppendTime))
	if v >= 5 {
		b = appendInt64(b, int64(start))
	}
	if v >= 8 {
		b = q.encodeRecordErrors(b, v >= 9)
		b = appendText(b, q.fault.message, v >= 9)
	}
	switch {
	case v >= 10 && q.leader >= 0:
		b = appendLeaderTag(append(b, 1), 0, q.leader, q.epoch)
	case v >= 9:
		b = append(b, 0)
	}
	return b
}

// encodeRecordErrors appends the records for which the batch was refused (KIP-467).
func (q *producedPart) encodeRecordErrors(b []byte, flexible bool) []byte {
	b = appendCount(b, len(q.records), flexible)
	for _, r := range q.records {
		b = appendInt32(b, r.index)
		b = appendText(b, r.message, flexible)
		if flexible {
			b = append(b, 0)
		}
	}
	return b
}

// addNode adds the endpoint of an agent once.
func (h *Handler) addNode(nodes []Agent, id int32) []Agent {
	for i := range nodes {
		if nodes[i].ID == id {
			return nodes
		}
	}
	for _, a := range h.backend.Agents() {
		if a.ID == id {
			return append(nodes, a)
		}
	}
	return nodes
}
