package api

import (
	"container/list"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/varve-log/varve/kafka"
)

const (
	// initialEpoch and finalEpoch are the session epochs of whole requests (KIP-227): the first asks
	// for a session, the second for none.
	initialEpoch = 0
	finalEpoch   = -1
	// sessionIdleMin is how long a session has to be unused, or as large and as old as another, before
	// it makes room for one. Kafka's.
	sessionIdleMin = 2 * time.Minute
)

// fetchKey names a partition of a fetch: by the topic's id from version 13 on, else by its name.
type fetchKey struct {
	name      string
	id        kafka.TopicID
	partition int32
}

// wanted is what a client wants of a partition.
type wanted struct {
	fetchKey
	offset      kafka.Offset
	bytesMax    int32
	leaderEpoch int32 // that the client believes in, or -1
	lastEpoch   int32 // of the last record that the client has, or -1
}

// told is what a client was told of a partition last.
type told struct {
	high, start kafka.Offset
}

// nothingTold makes the next answer tell of the partition whatever it says.
var nothingTold = told{high: -1, start: -1}

// sessionPart is a partition of a session.
type sessionPart struct {
	wanted
	told
}

// fetchSession remembers what a client wants and was told, so that requests and answers carry
// changes only. Its partitions are answered in order; one that gave records goes to the end, so
// that none starves another.
type fetchSession struct {
	id      int32
	byID    bool // topics are named by id
	created time.Time

	used time.Time // under fetchSessions.mu
	size int       // under fetchSessions.mu: partitions counted

	mu    sync.Mutex
	epoch int32 // that the next request must have
	parts map[fetchKey]*list.Element
	order *list.List // of *sessionPart
}

// nextSessionEpoch follows an epoch of an incremental request.
func nextSessionEpoch(e int32) int32 {
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}

// put adds a partition or changes what is wanted of it. s.mu is held.
func (s *fetchSession) put(w wanted, t told) {
	if e, ok := s.parts[w.fetchKey]; ok {
		e.Value.(*sessionPart).wanted = w
		return
	}
	s.parts[w.fetchKey] = s.order.PushBack(&sessionPart{w, t})
}

// missing counts what put would add at most. s.mu is held.
func (s *fetchSession) missing(want []wanted) int {
	n := 0
	for i := range want {
		if _, ok := s.parts[want[i].fetchKey]; !ok {
			n++
		}
	}
	return n
}

// update changes the partitions as a request says and lists them all. s.mu is held.
func (s *fetchSession) update(want []wanted, forget []fetchKey) []wanted {
	for _, w := range want {
		s.put(w, nothingTold)
	}
	for _, k := range forget {
		if e, ok := s.parts[k]; ok {
			s.order.Remove(e)
			delete(s.parts, k)
		}
	}
	all := make([]wanted, 0, s.order.Len())
	for e := s.order.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*sessionPart).wanted)
	}
	return all
}

// tell keeps what a partition's answer says and reports whether the client has to be told. s.mu is
// held.
func (s *fetchSession) tell(p *fetchPart) bool {
	e, ok := s.parts[p.fetchKey]
	if !ok {
		return false
	}
	part := e.Value.(*sessionPart)
	now, has := p.told(), len(p.data.Records) > 0
	must := has || p.code != codeNone || p.diverging != nil || part.told != now
	part.told = now
	if has {
		s.order.MoveToBack(e)
	}
	return must
}

// answer picks of the parts of an answer those that the client has to be told. A request that came in
// between makes it worthless: the code says so.
func (s *fetchSession) answer(epoch int32, parts []*fetchPart) ([]*fetchPart, code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch {
		return nil, codeSessionEpoch
	}
	changed := make([]*fetchPart, 0, len(parts))
	for _, p := range parts {
		if s.tell(p) {
			changed = append(changed, p)
		}
	}
	return changed, codeNone
}

// fetchSessions holds the sessions of all connections (V10: slots and partitions are bounded).
type fetchSessions struct {
	partitionsMax int
	metrics       *Metrics

	mu         sync.Mutex
	sessions   map[int32]*fetchSession
	partitions int
}

func newFetchSessions(partitionsMax int, m *Metrics) *fetchSessions {
	return &fetchSessions{
		partitionsMax: partitionsMax, metrics: m, sessions: make(map[int32]*fetchSession),
	}
}

// resume finds the session of an incremental request, changes it, and lists all that it wants. No
// session and no code means that the session ended as nothing is left in it.
func (c *fetchSessions) resume(
	now time.Time, id, epoch int32, q *fetchAsk,
) (*fetchSession, []wanted, code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.sessions[id]
	if !ok {
		return nil, nil, codeNoSession
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.epoch != epoch:
		return nil, nil, codeSessionEpoch
	case s.byID != q.byID:
		return nil, nil, codeSessionTopicID
	case c.partitions+s.missing(q.want) > c.partitionsMax:
		c.drop(s)
		return nil, nil, codeNoSession
	}
	all := s.update(q.want, q.forget)
	if len(all) == 0 {
		c.drop(s)
		return nil, q.want, codeNone
	}
	s.used, s.epoch = now, nextSessionEpoch(epoch)
	c.count(s, len(all))
	return s, all, codeNone
}

// remove ends a session that a client does not go on with.
func (c *fetchSessions) remove(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sessions[id]; ok {
		c.drop(s)
	}
}

// create makes a session of a whole request that was answered, if there is or can be made room, and
// gives its id, or 0.
func (c *fetchSessions) create(now time.Time, slots int, byID bool, parts []*fetchPart) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.partitions+len(parts) > c.partitionsMax ||
		(len(c.sessions) >= slots && !c.evict(now, len(parts))) {
		return 0
	}
	s := &fetchSession{
		id: c.freeID(), byID: byID, created: now, used: now, epoch: nextSessionEpoch(initialEpoch),
		parts: make(map[fetchKey]*list.Element, len(parts)), order: list.New(),
	}
	for _, p := range parts {
		s.put(p.wanted, p.told())
	}
	c.sessions[s.id] = s
	c.count(s, s.order.Len())
	return s.id
}

// freeID is a random id that is not in use. c.mu is held.
func (c *fetchSessions) freeID() int32 {
	for {
		id := 1 + rand.Int32N(math.MaxInt32)
		if _, taken := c.sessions[id]; !taken {
			return id
		}
	}
}

// evict makes room for a session of size partitions, as Kafka does: the one that was unused for
// longest goes if that is longer than sessionIdleMin, else the smallest of the old ones unless it
// is larger than the new one. c.mu is held.
func (c *fetchSessions) evict(now time.Time, size int) bool {
	var oldest, smallest *fetchSession
	for _, s := range c.sessions {
		if oldest == nil || s.used.Before(oldest.used) {
			oldest = s
		}
		if now.Sub(s.created) > sessionIdleMin && (smallest == nil || s.size < smallest.size ||
			(s.size == smallest.size && s.id < smallest.id)) {
			smallest = s
		}
	}
	switch {
	case oldest == nil:
		return false
	case now.Sub(oldest.used) > sessionIdleMin:
		c.drop(oldest)
	case smallest == nil || smallest.size >= size:
		return false
	default:
		c.drop(smallest)
	}
	c.metrics.sessionEvictions.Inc()
	return true
}

// count notes how many partitions a session has. c.mu is held.
func (c *fetchSessions) count(s *fetchSession, size int) {
	c.partitions += size - s.size
	s.size = size
	c.metrics.sessions.Set(float64(len(c.sessions)))
	c.metrics.sessionPartitions.Set(float64(c.partitions))
}

// drop forgets a session. c.mu is held.
func (c *fetchSessions) drop(s *fetchSession) {
	delete(c.sessions, s.id)
	c.count(s, 0)
}
