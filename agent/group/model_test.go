package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// modelSteps is how many operations TestModel makes for each of its seeds; GROUP_MODEL_STEPS and
// GROUP_MODEL_SEED choose others.
const (
	modelSteps = 12_500
	modelSeeds = 8
)

// TestModel makes 100,000 random operations of clients that mostly, but not always, do what they
// should, and holds the machine to its promises after each: the driver's checks, generations that never
// go back, one leader for a generation, tokens answered once, a load that finds the live state. In the
// end all clients fall silent, and everyone who waits is answered.
func TestModel(t *testing.T) {
	steps, seeds := modelSteps, []uint64{}
	if n, err := strconv.Atoi(os.Getenv("GROUP_MODEL_STEPS")); err == nil {
		steps = n
	}
	for i := range uint64(modelSeeds) {
		seeds = append(seeds, i+1)
	}
	if n, err := strconv.ParseUint(os.Getenv("GROUP_MODEL_SEED"), 10, 64); err == nil {
		seeds = []uint64{n}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			m := newModel(t, seed)
			for range steps {
				m.step()
			}
			m.silence()
		})
	}
}

// model is the clients and what they were told.
type model struct {
	*driver
	shadow  *Machine // loads the log as it grows
	r       *rand.Rand
	last    string
	asked   map[coordinator.Token]*client
	clients []*client
	leaders map[string]string // group and generation: leader
	newest  map[string]int32  // generation by group
	steps   int
}

// client is a consumer that knows what its last answers said.
type client struct {
	group      string
	member     string
	instance   *string
	generation int32
	leads      bool
	members    []string
	waits      bool
}

func newModel(t *testing.T, seed uint64) *model {
	cfg := DefaultConfig()
	cfg.MembersMax, cfg.OffsetsRetention, cfg.OffsetsRetentionCheck = 5, time.Hour, 10*time.Minute
	m := &model{
		driver: newDriver(t, cfg), r: rand.New(rand.NewPCG(seed, 1)),
		asked:   make(map[coordinator.Token]*client),
		leaders: make(map[string]string), newest: make(map[string]int32),
	}
	m.quiet = true
	for i := range 12 {
		c := &client{group: fmt.Sprintf("g%d", i%3), generation: -1}
		if i%4 == 3 {
			name := fmt.Sprintf("i%d", i%2)
			c.instance = &name
		}
		m.clients = append(m.clients, c)
	}
	m.shadow = m.machine()
	m.onReply, m.onLog = m.hear, m.written
	return m
}

func (m *model) pick(n int) int { return m.r.IntN(n) }

func (m *model) oneIn(n int) bool { return m.pick(n) == 0 }

// step makes one operation.
func (m *model) step() {
	m.steps++
	c := m.clients[m.pick(len(m.clients))]
	switch k := m.pick(100); {
	case c.waits && k < 80: // a client that waits does nothing else, mostly
		m.wait()
	case k < 30:
		m.do(c, "join", m.join(c))
	case k < 45:
		m.do(c, "sync", m.sync(c))
	case k < 55:
		m.do(c, "heartbeat", m.heartbeat(c))
	case k < 70:
		m.do(c, "commit", m.commit(c))
	case k < 74:
		m.do(c, "end", m.end())
	case k < 78:
		m.do(c, "leave", m.leave(c))
	case k < 82:
		m.do(c, "fetch", m.fetch(c))
	case k < 85:
		m.do(c, "delete", m.remove(c))
	case k < 87:
		m.take(m.m.TopicsDeleted(m.now, []DeletedTopic{{Name: "t1"}}))
	case k < 88:
		m.reload()
	default:
		m.wait()
	}
	m.compare()
}

func (m *model) wait() {
	m.advance(time.Duration(m.r.ExpFloat64() * float64(3*time.Second)))
	if m.oneIn(200) {
		m.advance(time.Duration(m.pick(120)) * time.Minute)
	}
}

func (m *model) do(
	c *client, what string, run func(now time.Time, to coordinator.Token) coordinator.Effects,
) {
	m.last = fmt.Sprintf("step %d: %s of %+v", m.steps, what, *c)
	m.token++
	m.waiting[m.token] = what
	m.asked[m.token] = c
	m.take(run(m.now, m.token))
	if _, waits := m.waiting[m.token]; waits && (what == "join" || what == "sync") {
		c.waits = true
	}
}

// written forgets the generations of a group that ends: the next one of its id counts anew.
func (m *model) written(e entryOfLog) {
	m.replay(m.shadow, e)
	if e.marker != nil {
		return
	}
	if id, _, _ := takeString(e.Key[2:]); e.Value == nil && e.Key[1] == byte(keyGroupMetadata) {
		delete(m.newest, string(id))
		maps.DeleteFunc(m.leaders, func(key, _ string) bool {
			return strings.HasPrefix(key, string(id)+"/")
		})
	}
}

// hear takes in an answer as the client would.
func (m *model) hear(r coordinator.Reply) {
	c := m.asked[r.To]
	delete(m.asked, r.To)
	c.waits = false
	var required *MemberIDRequired
	switch {
	case r.Err != nil:
		if as(r.Err, &required) {
			c.member = required.MemberID
		} else if r.Err == ErrUnknownMember || r.Err == ErrFencedInstance {
			c.member, c.generation = "", -1
		}
	default:
		if j, ok := r.Value.(JoinResponse); ok {
			m.heardJoin(c, j)
		}
	}
}

func as(err error, to **MemberIDRequired) bool {
	e, ok := err.(*MemberIDRequired)
	*to = e
	return ok
}

// heardJoin holds a generation against what was told before.
func (m *model) heardJoin(c *client, j JoinResponse) {
	key := fmt.Sprintf("%s/%d", c.group, j.Generation)
	if j.Generation < m.newest[c.group] {
		m.t.Fatalf("%s: generation %d after %d", m.last, j.Generation, m.newest[c.group])
	}
	m.newest[c.group] = j.Generation
	c.member, c.generation, c.leads = j.MemberID, j.Generation, len(j.Members) > 0 && !j.SkipAssignment
	c.members = nil
	for _, mem := range j.Members {
		c.members = append(c.members, mem.MemberID)
	}
	if c.leads && !slices.Contains(c.members, c.member) {
		m.t.Fatalf("%s: leads without being a member: %+v", m.last, j)
	}
	if was, ok := m.leaders[key]; ok && c.leads && was != c.member && c.instance == nil {
		m.t.Fatalf("%s: generation %s is led by %s and by %s", m.last, key, was, c.member)
	}
	if c.leads {
		m.leaders[key] = c.member
	}
}

func (m *model) join(c *client) func(time.Time, coordinator.Token) coordinator.Effects {
	version := 3 + m.pick(7)
	names := [][]string{{"range"}, {"range", "sticky"}, {"sticky", "range"}, {"other"}}
	var protocols []Protocol
	for _, name := range names[min(m.pick(30), len(names)-1)%len(names)] {
		protocols = append(protocols, Protocol{name, subscription("t0", "t"+fmt.Sprint(m.pick(3)))})
	}
	if !m.oneIn(20) {
		protocols = []Protocol{{"range", subscription("t0")}}
	}
	q := JoinRequest{
		Group: c.group, MemberID: c.member, InstanceID: c.instance, Client: Client{"c", "/h"},
		SessionTimeout: time.Duration(6+m.pick(20)) * time.Second, RequireMemberID: version >= 4,
		RebalanceTimeout: time.Duration(m.pick(30)) * time.Second, SkipAssignment: version >= 9,
		ProtocolType: "consumer", Protocols: protocols,
	}
	if m.oneIn(15) || c.instance != nil && m.oneIn(3) {
		q.MemberID = ""
	}
	return func(now time.Time, to coordinator.Token) coordinator.Effects { return m.m.Join(now, to, q) }
}

// generationOf is mostly the client's own.
func (m *model) generationOf(c *client) int32 {
	if m.oneIn(12) {
		return c.generation + int32(m.pick(3)) - 1
	}
	return c.generation
}

func (m *model) sync(c *client) func(time.Time, coordinator.Token) coordinator.Effects {
	q := SyncRequest{
		Group: c.group, MemberID: c.member, InstanceID: c.instance, Generation: m.generationOf(c),
		Assignments: make(map[string][]byte),
	}
	for _, id := range c.members {
		if c.leads && !m.oneIn(20) {
			q.Assignments[id] = []byte("for " + id)
		}
	}
	return func(now time.Time, to coordinator.Token) coordinator.Effects { return m.m.Sync(now, to, q) }
}

func (m *model) heartbeat(c *client) func(time.Time, coordinator.Token) coordinator.Effects {
	q := HeartbeatRequest{
		Group: c.group, MemberID: c.member, InstanceID: c.instance, Generation: m.generationOf(c),
	}
	return func(now time.Time, to coordinator.Token) coordinator.Effects {
		return m.m.Heartbeat(now, to, q)
	}
}

func (m *model) commit(c *client) func(time.Time, coordinator.Token) coordinator.Effects {
	q := CommitRequest{
		Group: c.group, MemberID: c.member, InstanceID: c.instance, Generation: m.generationOf(c),
		Version: int16(5 + m.pick(5)), Retention: -1,
		Topics: []TopicCommit{{Topic: fmt.Sprintf("t%d", m.pick(3)), Partitions: []PartitionCommit{
			{Partition: int32(m.pick(3)), Offset: kafka.Offset(m.pick(1000)), LeaderEpoch: kafka.NoLeaderEpoch},
		}}},
	}
	if m.oneIn(3) {
		q.Group, q.MemberID, q.Generation, q.InstanceID = fmt.Sprintf("simple%d", m.pick(3)), "", -1, nil
	}
	if m.oneIn(3) {
		q.Producer = &coordinator.Producer{ID: kafka.ProducerID(m.pick(4))}
	}
	return func(now time.Time, to coordinator.Token) coordinator.Effects { return m.m.Commit(now, to, q) }
}

func (m *model) end() func(time.Time, coordinator.Token) coordinator.Effects {
	marker := coordinator.Marker{
		Producer: coordinator.Producer{ID: kafka.ProducerID(m.pick(4))}, Commit: !m.oneIn(3),
	}
	return func(now time.Time, to coordinator.Token) coordinator.Effects {
		return m.m.EndTransaction(now, to, marker)
	}
}

func (m *model) leave(c *client) func(time.Time, coordinator.Token) coordinator.Effects {
	q := LeaveRequest{Group: c.group, Members: []Leaving{{MemberID: c.member, InstanceID: c.instance}}}
	if m.oneIn(4) && len(c.members) > 0 {
		q.Members = append(q.Members, Leaving{MemberID: c.members[m.pick(len(c.members))]})
	}
	return func(now time.Time, to coordinator.Token) coordinator.Effects { return m.m.Leave(now, to, q) }
}

func (m *model) fetch(c *client) func(time.Time, coordinator.Token) coordinator.Effects {
	q := FetchRequest{Group: c.group, All: true, RequireStable: m.oneIn(2), MemberEpoch: -1}
	return func(now time.Time, to coordinator.Token) coordinator.Effects { return m.m.Fetch(now, to, q) }
}

func (m *model) remove(c *client) func(time.Time, coordinator.Token) coordinator.Effects {
	if m.oneIn(2) {
		return func(now time.Time, to coordinator.Token) coordinator.Effects {
			return m.m.Delete(now, to, []string{c.group, "simple0"})
		}
	}
	q := DeleteOffsetsRequest{Group: c.group, Topics: []TopicFetch{{Topic: "t1", Partitions: []int32{0, 1}}}}
	return func(now time.Time, to coordinator.Token) coordinator.Effects {
		return m.m.DeleteOffsets(now, to, q)
	}
}

// reload is a restart: clients that waited hear nothing.
func (m *model) reload() {
	for _, c := range m.clients {
		c.waits = false
	}
	clear(m.asked)
	m.compact()
	m.restart()
	m.shadow = m.load()
	for id := range m.newest {
		m.newest[id] = 0 // a generation that nobody synced in is not written, as in Kafka
		if g, ok := m.m.groups[id]; ok {
			if classic, ok := g.group.(*classicGroup); ok {
				m.newest[id] = classic.generation
			}
		}
	}
	clear(m.leaders)
}

// compact keeps what compaction keeps of the log while no transaction is open.
func (m *model) compact() {
	if len(m.m.pending) > 0 {
		return
	}
	last := make(map[string]int)
	for i, e := range m.log {
		if e.marker == nil && !e.Transactional {
			last[string(e.Key)] = i
		}
	}
	var kept []entryOfLog
	for i, e := range m.log {
		if e.marker != nil || e.Transactional || last[string(e.Key)] == i {
			kept = append(kept, e)
		}
	}
	m.log = kept
}

// compare holds what a load of the log gives against the live state, group by group, less those that rebalance.
func (m *model) compare() {
	live, found := byGroup(m.m), byGroup(m.shadow)
	for id, want := range live {
		if rebalances(m.m.groups[id]) {
			continue
		}
		if found[id] != want {
			m.t.Fatalf("%s: group %s: a restart finds\n%s\nbut there was\n%s", m.last, id, found[id], want)
		}
	}
	for id := range found {
		if _, ok := live[id]; !ok {
			m.t.Fatalf("%s: a restart finds group %s, which was gone", m.last, id)
		}
	}
}

func rebalances(e *entry) bool {
	g, ok := e.group.(*classicGroup)
	return ok && g.now != stateEmpty && g.now != stateStable
}

func byGroup(m *Machine) map[string]string {
	out := make(map[string]string)
	for id, e := range m.groups {
		out[id] = showGroup(m, e)
	}
	return out
}

// silence lets time go by until nobody waits any more.
func (m *model) silence() {
	m.advance(2 * time.Hour)
	if left := slices.Sorted(maps.Values(m.waiting)); len(left) > 0 {
		m.t.Fatalf("never answered: %s", strings.Join(left, ", "))
	}
	for id, e := range m.m.groups {
		if g, ok := e.group.(*classicGroup); ok && len(g.members) > 0 {
			m.t.Errorf("group %s still has members: %+v", id, g.order)
		}
	}
}
