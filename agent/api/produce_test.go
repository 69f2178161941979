package api

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
)

func now() kafka.Timestamp { return kafka.TimestampOf(time.Now()) }

// sealed puts the right checksum on an edited batch.
func sealed(b record.Batch, edit func(b []byte)) []byte {
	b = slices.Clone(b)
	edit(b)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// refusal is what a produce of some records is answered with.
type refusal struct {
	topic   *Topic
	records []byte
	version int16
	acks    int16
	want    code
}

func refusals(t *testing.T, f *fake) map[string]refusal {
	topic := f.byName["t"]
	good := batchOf(t, now(), "a", "b")
	zstd, err := func() (record.Batch, error) {
		b := record.NewBuilder(record.Zstd)
		b.Append(now(), nil, []byte("v"))
		return b.Build()
	}()
	if err != nil {
		t.Fatal(err)
	}
	attributes := func(v uint16) []byte {
		return sealed(good, func(b []byte) { binary.BigEndian.PutUint16(b[21:], v) })
	}
	return map[string]refusal{
		"good":        {topic, good, 9, 1, codeNone},
		"two batches": {topic, append(slices.Clone(good), good...), 9, 1, codeInvalidRecord},
		"no batch":    {topic, []byte{}, 9, 1, codeInvalidRecord},
		"null":        {topic, nil, 9, 1, codeInvalidRecord},
		"cut short":   {topic, good[:len(good)-1], 9, 1, codeCorrupt},
		"zeros":       {topic, make([]byte, 80), 9, 1, codeInvalidRecord},
		"old magic": {
			topic, sealed(good, func(b []byte) { b[16] = 1 }), 9, 1, codeInvalidRecord,
		},
		"flipped bit": {topic, append(slices.Clone(good[:70]), good[70]^1), 9, 1, codeCorrupt},
		"crc":         {topic, flip(good, 65), 9, 1, codeCorrupt},
		"too large": {
			topic, batchOf(t, now(), string(make([]byte, 600))), 9, 1, codeTooLarge,
		},
		"acks 2":        {topic, good, 9, 2, codeInvalidAcks},
		"control batch": {topic, attributes(0x20), 9, 1, codeInvalidRecord},
		"unknown bits":  {topic, attributes(0x400), 9, 1, codeInvalidRecord},
		"append time":   {topic, attributes(8), 9, 1, codeBadTimestamp},
		"zstd before 7": {topic, zstd, 6, 1, codeNoCodec},
		"zstd":          {topic, zstd, 7, 1, codeNone},
		"claims gzip":   {topic, attributes(1), 9, 1, codeInvalidRecord},
		"count": {
			topic, sealed(good, func(b []byte) { b[60] = 3 }), 9, 1, codeInvalidRecord,
		},
		"offset delta": {
			topic, sealed(good, func(b []byte) { b[64] = 4 }), 9, 1, codeInvalidRecord,
		},
		"ahead":           {topic, batchOf(t, now()+7200_000, "a"), 9, 1, codeBadTimestamp},
		"long ago":        {f.byName["before"], batchOf(t, 5, "a"), 9, 1, codeBadTimestamp},
		"no topic":        {&Topic{Name: "nosuch"}, good, 9, 1, codeUnknownTopic},
		"no topic id":     {&Topic{ID: kafka.TopicID{9}}, good, 13, 1, codeUnknownTopicID},
		"not leader":      {f.byName["elsewhere"], good, 12, 1, codeNotLeader},
		"not leader, old": {f.byName["elsewhere"], good, 3, -1, codeNotLeader},
		"topic id":        {topic, good, 13, -1, codeNone},
		"transaction":     {topic, transactional(t), 9, 1, kerr.TransactionalIDAuthorizationFailed.Code},
		"without a record": {
			topic, sealed(good, func(b []byte) { b[26], b[60] = 255, 0 }), 9, 1, 87,
		},
	}
}

func TestProduceRefusals(t *testing.T) {
	f := newFake()
	f.agents = append(f.agents, Agent{ID: 2, Host: "other", Port: 7})
	topic := f.create(t, "t", 1, "max.message.bytes", "500")
	f.create(t, "before", 1, "message.timestamp.before.max.ms", "1000")
	f.create(t, "elsewhere", 1)
	f.byName["elsewhere"].Partitions[0].Leader = 2
	c := dial(t, serveFake(t, f))
	good := batchOf(t, now(), "a", "b")
	for name, x := range refusals(t, f) {
		r := ask[*kmsg.ProduceResponse](c, produceRequest(x.topic, 0, x.acks, x.records), x.version)
		p := r.Topics[0].Partitions[0]
		if p.ErrorCode != x.want {
			text := ""
			if p.ErrorMessage != nil {
				text = *p.ErrorMessage
			}
			t.Errorf("%s: %s %q, want %s", name, errorName(p.ErrorCode), text, errorName(x.want))
		}
		if (p.BaseOffset >= 0) != (x.want == codeNone) {
			t.Errorf("%s: base offset %d", name, p.BaseOffset)
		}
		if name == "not leader" && (p.CurrentLeader.LeaderID != 2 || len(r.Brokers) != 1 ||
			r.Brokers[0].Host != "other") {
			t.Errorf("leader hint: %+v", r)
		}
	}
	r := ask[*kmsg.ProduceResponse](c, produceRequest(topic, 5, 1, good), 9)
	if got := r.Topics[0].Partitions[0].ErrorCode; got != codeUnknownTopic {
		t.Errorf("partition 5: %s", errorName(got))
	}
}

func flip(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

func transactional(t *testing.T) []byte {
	b := record.NewBuilder(record.None)
	b.SetProducer(7, 0, 0)
	b.Transactional = true
	b.Append(now(), nil, []byte("v"))
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestProduceErrorsOfTheLog(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	for err, want := range map[error]code{
		ErrOutOfOrderSequence: 45, ErrDuplicateSequence: 46, ErrInvalidProducerEpoch: 47,
		ErrUnknownProducerID: 59, ErrDiskFull: 56, ErrStorage: 56, ErrNotLeader: 6,
		ErrNotEnoughReplicas: 19,
	} {
		f.partition("t").failWith = err
		r := ask[*kmsg.ProduceResponse](c, produceRequest(topic, 0, -1, batchOf(t, now(), "v")), 9)
		if got := r.Topics[0].Partitions[0].ErrorCode; got != want {
			t.Errorf("%v: %s", err, errorName(got))
		}
	}
}

func TestLogAppendTime(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1, "message.timestamp.type", "LogAppendTime")
	c := dial(t, serveFake(t, f))
	before := now()
	r := ask[*kmsg.ProduceResponse](c, produceRequest(topic, 0, 1, batchOf(t, 5, "v")), 9)
	at := kafka.Timestamp(r.Topics[0].Partitions[0].LogAppendTime)
	b := f.partition("t").batches[0]
	if at < before || b.MaxTimestamp() != at || b.TimestampType() != record.LogAppendTime ||
		b.Validate() != nil {
		t.Errorf("append time %d, batch %d, %v", at, b.MaxTimestamp(), b.Validate())
	}
}

// TestAcksAllPipelined: the next append does not wait for the ack before it; answers keep the
// order.
func TestAcksAllPipelined(t *testing.T) {
	f := newFake()
	f.held = true
	topic := f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	var reqs []*kmsg.ProduceRequest
	for range 5 {
		reqs = append(reqs, produceRequest(topic, 0, -1, batchOf(t, now(), "v")))
		c.send(reqs[len(reqs)-1], 9)
	}
	fast := produceRequest(topic, 0, 1, batchOf(t, now(), "v"))
	last := c.send(fast, 9)
	p := f.partition("t")
	waitFor(t, func() bool { return p.Offsets().LogEnd == 6 })
	p.commit()
	for i, req := range reqs {
		r := c.receive(req, int32(i+1)).(*kmsg.ProduceResponse)
		if got := r.Topics[0].Partitions[0]; got.BaseOffset != int64(i) || got.ErrorCode != 0 {
			t.Errorf("answer %d: %+v", i, got)
		}
	}
	c.receive(fast, last)
}

func TestAcksAllTimesOut(t *testing.T) {
	f := newFake()
	f.held = true
	topic := f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	req := produceRequest(topic, 0, -1, batchOf(t, now(), "v"))
	req.TimeoutMillis = 20
	r := ask[*kmsg.ProduceResponse](c, req, 9)
	if got := r.Topics[0].Partitions[0].ErrorCode; got != codeTimedOut {
		t.Errorf("%s", errorName(got))
	}
	f.partition("t").commit() // a commit that comes too late touches no other request
	ask[*kmsg.ProduceResponse](c, produceRequest(topic, 0, 1, batchOf(t, now(), "v")), 9)
}

// Bug: with flush.messages=1 an acks=1 batch was acked before it was flushed.
func TestAcksOneWaitsForTheFlushThatIsDue(t *testing.T) {
	f := newFake()
	f.held = true
	topic := f.create(t, "t", 1)
	p := f.partition("t")
	p.mustFlush = true
	c := dial(t, serveFake(t, f))
	req := produceRequest(topic, 0, 1, batchOf(t, now(), "v"))
	req.TimeoutMillis = 20
	r := ask[*kmsg.ProduceResponse](c, req, 9)
	if got := r.Topics[0].Partitions[0].ErrorCode; got != codeTimedOut {
		t.Errorf("before the flush: %s", errorName(got))
	}
	req.TimeoutMillis = 30_000
	id := c.send(req, 9)
	waitFor(t, func() bool { return p.Offsets().LogEnd == 2 })
	p.commit()
	got := c.receive(req, id).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if got.ErrorCode != codeNone || got.BaseOffset != 1 {
		t.Errorf("after the flush: %+v", got)
	}
}

// TestAcksNone: no answer, and an error closes the connection.
func TestAcksNone(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	c := dial(t, serveFake(t, f))
	c.send(produceRequest(topic, 0, 0, batchOf(t, now(), "v")), 9)
	ask[*kmsg.ProduceResponse](c, produceRequest(topic, 0, 1, batchOf(t, now(), "v")), 9)
	if end := f.partition("t").Offsets().LogEnd; end != 2 {
		t.Errorf("log ends at %d", end)
	}
	c.send(produceRequest(topic, 3, 0, batchOf(t, now(), "v")), 9)
	c.expectClosed()
}

// waitFor polls until ok or a deadline.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("not in time")
		}
	}
}
