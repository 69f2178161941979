package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/varve-log/varve/kafka"
)

// sessionClient sends fetches of one topic and writes answers as partition:records@high watermark.
type sessionClient struct {
	t         *testing.T
	c         *wireClient
	topic     *Topic
	id, epoch int32
}

// fetch asks for partitions from offsets, and forgets others.
func (s *sessionClient) fetch(version int16, from map[int32]int64, forget ...int32) string {
	s.t.Helper()
	q := fetchRequest(s.topic, 0, 0)
	one := q.Topics[0].Partitions[0]
	q.SessionID, q.SessionEpoch, q.MaxWaitMillis = s.id, s.epoch, 0
	q.Topics[0].Partitions = nil
	for _, i := range slices.Sorted(maps.Keys(from)) {
		p := one
		p.Partition, p.FetchOffset = i, from[i]
		q.Topics[0].Partitions = append(q.Topics[0].Partitions, p)
	}
	if len(from) == 0 {
		q.Topics = nil
	}
	if len(forget) > 0 {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.Topic, f.TopicID, f.Partitions = s.topic.Name, s.topic.ID, forget
		q.ForgottenTopics = append(q.ForgottenTopics, f)
	}
	r := ask[*kmsg.FetchResponse](s.c, q, version)
	if r.ErrorCode != codeNone {
		return fmt.Sprintf("%s id %t", errorName(r.ErrorCode), r.SessionID != 0)
	}
	if s.epoch == 0 {
		s.id = r.SessionID
	}
	s.epoch++
	var words []string
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			w := fmt.Sprintf("%d:%t@%d", p.Partition, len(p.RecordBatches) > 0, p.HighWatermark)
			if p.ErrorCode != codeNone {
				w = fmt.Sprintf("%d!%d", p.Partition, p.ErrorCode)
			}
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func TestFetchSession(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 4)
	addr := serveFake(t, f)
	s := &sessionClient{t: t, c: dial(t, addr), topic: topic}
	is := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	fill(t, f.at("t", 1), 1, 10)
	is(s.fetch(12, map[int32]int64{0: 0, 1: 0, 2: 0}), "0:false@0 1:true@1 2:false@0")
	if s.id == 0 {
		t.Fatal("no session")
	}
	// Nothing new is answered with nothing; records of the offset that the session has come again.
	is(s.fetch(12, map[int32]int64{1: 1}), "")
	fill(t, f.at("t", 0), 1, 10)
	fill(t, f.at("t", 2), 1, 10)
	is(s.fetch(12, nil), "0:true@1 2:true@1")
	is(s.fetch(12, nil), "0:true@1 2:true@1")
	// Those with records went to the end, in their order.
	fill(t, f.at("t", 1), 1, 10)
	is(s.fetch(12, map[int32]int64{0: 0}), "1:true@2 0:true@1 2:true@1")
	is(s.fetch(12, map[int32]int64{0: 1, 1: 2, 2: 1}), "")
	// A partition can be added, be forgotten, and be wrong.
	is(s.fetch(12, map[int32]int64{3: 0, 9: 0}), "3:false@0 9!3")
	is(s.fetch(12, nil), "9!3")
	is(s.fetch(12, nil, 9, 8), "")
	// A start that moved is news.
	f.at("t", 2).mu.Lock()
	f.at("t", 2).start = 1
	f.at("t", 2).mu.Unlock()
	is(s.fetch(12, nil), "2:false@1")
	is(s.fetch(12, nil), "")

	stale := *s
	stale.epoch--
	is(stale.fetch(12, nil), "INVALID_FETCH_SESSION_EPOCH id false")
	is(s.fetch(13, nil), "FETCH_SESSION_TOPIC_ID_ERROR id false")
	other := *s
	other.id++
	is(other.fetch(12, nil), "FETCH_SESSION_ID_NOT_FOUND id false")
	// The last partition that goes takes the session with it.
	is(s.fetch(12, nil, 0, 1, 2, 3), "")
	is(s.fetch(12, nil), "FETCH_SESSION_ID_NOT_FOUND id false")

	// A whole request ends the session that it names.
	again := &sessionClient{t: t, c: s.c, topic: topic}
	is(again.fetch(13, map[int32]int64{0: 1}), "0:false@1")
	was := *again
	again.epoch = -1
	is(again.fetch(13, map[int32]int64{0: 1}), "0:false@1")
	is(was.fetch(13, nil), "FETCH_SESSION_ID_NOT_FOUND id false")
}

// TestFetchSessionTopicGone: a session by id tells that its topic is gone, each time.
func TestFetchSessionTopicGone(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 2)
	s := &sessionClient{t: t, c: dial(t, serveFake(t, f)), topic: topic}
	if got := s.fetch(17, map[int32]int64{0: 0, 1: 0}); got != "0:false@0 1:false@0" {
		t.Error(got)
	}
	f.DeleteTopics(t.Context(), []kafka.TopicID{topic.ID})
	for range 2 {
		if got := s.fetch(17, nil); got != "0!100 1!100" {
			t.Error(got)
		}
	}
}

// TestFetchSessionOvertaken: an answer that a newer request of the session overtook is refused, so
// that client and agent keep agreeing on what was told.
func TestFetchSessionOvertaken(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	addr := serveFake(t, f)
	s := &sessionClient{t: t, c: dial(t, addr), topic: topic}
	s.fetch(12, map[int32]int64{0: 0})
	q := fetchRequest(topic, 0, 0)
	q.SessionID, q.SessionEpoch, q.MaxWaitMillis, q.Topics = s.id, 1, 60_000, nil
	id := s.c.send(q, 12)
	p := f.partition("t")
	waitFor(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.subscribers) == 1
	})
	second := &sessionClient{t: t, c: dial(t, addr), topic: topic, id: s.id, epoch: 2}
	if got := second.fetch(12, nil); got != "" {
		t.Error(got)
	}
	fill(t, p, 1, 10)
	r := s.c.receive(q, id).(*kmsg.FetchResponse)
	if r.ErrorCode != codeSessionEpoch || r.SessionID != s.id || len(r.Topics) != 0 {
		t.Errorf("%s, session %d", errorName(r.ErrorCode), r.SessionID)
	}
	waitFor(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.reading == 0
	})
}

func partsOf(n int) []*fetchPart {
	parts := make([]*fetchPart, n)
	for i := range parts {
		parts[i] = &fetchPart{wanted: wanted{fetchKey: fetchKey{name: "t", partition: int32(i)}}}
	}
	return parts
}

// TestFetchSessionEviction: the rules by which Kafka's cache makes room.
func TestFetchSessionEviction(t *testing.T) {
	c := newFetchSessions(100, NewMetrics(nil))
	at := time.Unix(1000, 0)
	small, large := c.create(at, 2, false, partsOf(2)), c.create(at, 2, false, partsOf(5))
	if small == 0 || large == 0 {
		t.Fatal("no sessions")
	}
	at = at.Add(sessionIdleMin)
	resume := func(id int32, epoch int32) code {
		_, _, code := c.resume(at, id, epoch, &fetchAsk{})
		return code
	}
	if id := c.create(at, 2, false, partsOf(9)); id != 0 {
		t.Error("room was made by a session that is not old")
	}
	resume(small, 1)
	resume(large, 1)
	at = at.Add(time.Second)
	if id := c.create(at, 2, false, partsOf(2)); id != 0 {
		t.Error("room was made for a session that is not larger")
	}
	first := c.create(at, 2, false, partsOf(3))
	if first == 0 || resume(small, 2) != codeNoSession || resume(large, 2) != codeNone {
		t.Error("the smallest old session did not go")
	}
	at = at.Add(sessionIdleMin + time.Second)
	resume(large, 3)
	if id := c.create(at, 2, false, partsOf(1)); id == 0 || resume(first, 1) != codeNoSession {
		t.Error("the idle session did not go")
	}
	if id := c.create(at, 0, false, partsOf(1)); id != 0 {
		t.Error("a session without slots")
	}
	if id := c.create(at, 9, false, partsOf(95)); id != 0 {
		t.Error("more partitions than allowed")
	}
	if c.partitions != 6 {
		t.Errorf("%d partitions counted", c.partitions)
	}
	want := make([]wanted, 0, 200)
	for _, p := range partsOf(200) {
		want = append(want, p.wanted)
	}
	if _, _, code := c.resume(at, large, 4, &fetchAsk{want: want}); code != codeNoSession {
		t.Error("a session grew beyond the bound")
	}
	if nextSessionEpoch(1<<31-1) != 1 {
		t.Error("epoch after the last")
	}
}

// TestFetchSessionModel: client and agent agree on what is in a session and what was told, whatever
// happens in between.
func TestFetchSessionModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newFetchSessions(50, NewMetrics(nil))
		high := make(map[int32]kafka.Offset)
		var id, epoch int32
		knows := make(map[int32]kafka.Offset) // what the client was told
		now := time.Unix(0, 0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.Int32Range(0, 7).Draw(t, "partition")
			key := func(i int32) fetchKey { return fetchKey{name: "t", partition: i} }
			part := func(w wanted) *fetchPart {
				return &fetchPart{wanted: w, offsets: Offsets{HighWatermark: high[w.partition]}}
			}
			switch rapid.SampledFrom([]string{"append", "add", "forget", "poll", "new"}).Draw(t, "do") {
			case "append":
				high[i]++
				continue
			case "new":
				parts := []*fetchPart{part(wanted{fetchKey: key(i)})}
				c.remove(id)
				id, epoch = c.create(now, 1, false, parts), 1
				clear(knows)
				knows[i] = high[i]
				continue
			case "add", "forget", "poll":
			}
			var q fetchAsk
			q.want = append(q.want, wanted{fetchKey: key(i)})
			if rapid.Bool().Draw(t, "forgets") {
				q = fetchAsk{forget: []fetchKey{key(i)}}
			}
			s, all, code := c.resume(now, id, epoch, &q)
			if code != codeNone || s == nil {
				if id != 0 && code == codeNone {
					delete(knows, i)
					if len(knows) != 0 {
						t.Fatalf("session ended with %v", knows)
					}
				}
				id, epoch = 0, 0
				clear(knows)
				continue
			}
			epoch = nextSessionEpoch(epoch)
			if len(q.forget) > 0 {
				delete(knows, i)
			} else if _, ok := knows[i]; !ok {
				knows[i] = -1
			}
			if len(all) != len(knows) {
				t.Fatalf("session has %d partitions, the client %d", len(all), len(knows))
			}
			parts := make([]*fetchPart, 0, len(all))
			for _, w := range all {
				parts = append(parts, part(w))
			}
			changed, _ := s.answer(epoch, parts)
			for _, p := range changed {
				knows[p.partition] = p.offsets.HighWatermark
			}
			for i, h := range knows {
				if h != high[i] {
					t.Fatalf("partition %d: the client knows %d, it is %d", i, h, high[i])
				}
			}
		}
	})
}
