package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// driver does what agent/coordinate does, in memory: it keeps the log, gives out tokens and holds the
// machine to its promises after each step.
type driver struct {
	t       testing.TB
	cfg     Config
	topics  *fixedTopics
	ids     int
	m       *Machine
	now     time.Time
	log     []entryOfLog
	token   coordinator.Token
	waiting map[coordinator.Token]string // what was asked
	out     strings.Builder
	quiet   bool // nothing is shown

	onLog   func(entryOfLog)
	onReply func(coordinator.Reply)
}

// entryOfLog is a record or a marker.
type entryOfLog struct {
	coordinator.Stored
	marker *coordinator.Marker
}

// fixedTopics are the topics that exist until a test puts others in their place.
type fixedTopics struct{ image Image }

func (f *fixedTopics) Image() Image { return f.image }

func (f *fixedTopics) TopicID(name string) (kafka.TopicID, bool) {
	topic, ok := f.image.ByName(name)
	return topic.ID, ok
}

func newDriver(t testing.TB, cfg Config) *driver {
	d := &driver{
		t: t, cfg: cfg, now: time.UnixMilli(1_000_000).UTC(),
		waiting: make(map[coordinator.Token]string), topics: &fixedTopics{NewImage(0)},
	}
	d.m = d.machine()
	d.m.Loaded(d.now)
	return d
}

func (d *driver) machine() *Machine {
	return New(d.cfg, d.topics, func() string { d.ids++; return fmt.Sprint(d.ids) })
}

// ask runs a transition with a token of its own.
func (d *driver) ask(
	what string, do func(now time.Time, to coordinator.Token) coordinator.Effects,
) coordinator.Token {
	d.token++
	d.waiting[d.token] = what
	d.take(do(d.now, d.token))
	return d.token
}

// take appends records and delivers replies.
func (d *driver) take(e coordinator.Effects) {
	for _, r := range e.Records {
		s := coordinator.Stored{
			Record: r, Offset: kafka.Offset(len(d.log)), Timestamp: kafka.TimestampOf(d.now),
		}
		if e.Transaction != nil {
			s.Transactional, s.Producer = true, *e.Transaction
		}
		d.append(entryOfLog{Stored: s})
		if !d.quiet {
			fmt.Fprintf(&d.out, "log: %s\n", showRecord(s))
		}
	}
	if e.Marker != nil {
		d.append(entryOfLog{marker: e.Marker})
	}
	for _, r := range e.Replies {
		what, ok := d.waiting[r.To]
		if !ok {
			d.t.Fatalf("token %d is answered and nobody waits for it", r.To)
		}
		delete(d.waiting, r.To)
		if d.onReply != nil {
			d.onReply(r)
		}
		if !d.quiet {
			fmt.Fprintf(&d.out, "%s: %s\n", what, showReply(r))
		}
	}
	d.check()
}

func (d *driver) append(e entryOfLog) {
	d.log = append(d.log, e)
	if d.onLog != nil {
		d.onLog(e)
	}
}

// load makes a machine of the log.
func (d *driver) load() *Machine {
	m := d.machine()
	for _, e := range d.log {
		d.replay(m, e)
	}
	return m
}

func (d *driver) replay(m *Machine, e entryOfLog) {
	if e.marker != nil {
		m.ReplayEnd(e.marker.Producer, e.marker.Commit)
	} else if err := m.Replay(e.Stored); err != nil {
		d.t.Fatalf("replay: %v", err)
	}
}

// restart throws the machine away and loads it again.
func (d *driver) restart() {
	clear(d.waiting)
	d.m = d.load()
	d.take(d.m.Loaded(d.now))
}

// advance lets time go by and fires what is due, each at its own time.
func (d *driver) advance(by time.Duration) {
	end := d.now.Add(by)
	for range 100_000 {
		due := d.m.Due()
		if due.IsZero() || due.After(end) {
			d.now = end
			return
		}
		if due.After(d.now) {
			d.now = due
		}
		d.take(d.m.Tick(d.now))
	}
	d.t.Fatal("timers do not come to rest")
}

// check holds the machine to what must be true between transitions.
func (d *driver) check() {
	d.t.Helper()
	for id, e := range d.m.groups {
		if e.group == nil && e.offsets.none() {
			d.t.Fatalf("group %q: an entry that holds nothing", id)
		}
		if g, ok := e.group.(*classicGroup); ok {
			if err := checkClassic(g); err != nil {
				d.t.Fatalf("group %q: %v", id, err)
			}
		}
		if g, ok := e.group.(*consumerGroup); ok {
			if err := checkConsumer(g); err != nil {
				d.t.Fatalf("group %q: %v", id, err)
			}
		}
	}
}

func checkClassic(g *classicGroup) error {
	joining, bytes, static := 0, 0, 0
	for _, mem := range g.order {
		if g.members[mem.id] != mem {
			return fmt.Errorf("member %q is not under its id", mem.id)
		}
		if mem.join.waiting {
			joining++
		}
		if mem.instance != nil {
			static++
			if g.static[*mem.instance] != mem.id {
				return fmt.Errorf("instance %q is not member %q", *mem.instance, mem.id)
			}
		}
		bytes += protocolBytes(mem.protocols)
		if mem.syncs.waiting && g.now != stateCompleting {
			return fmt.Errorf("member %q waits for its assignment in %s", mem.id, g.now)
		}
		if mem.join.waiting && g.now != statePreparing {
			return fmt.Errorf("member %q waits to join in %s", mem.id, g.now)
		}
		if mem.session.slot == 0 && !mem.join.waiting && !mem.syncs.waiting {
			return fmt.Errorf("member %q has no session", mem.id)
		}
	}
	switch {
	case len(g.members) != len(g.order), joining != g.awaitingJoin, bytes != g.bytes,
		static != len(g.static):
		return fmt.Errorf("counts are wrong: %+v", g)
	case len(g.order) > 0 && g.members[g.leader] == nil:
		return fmt.Errorf("leader %q is no member", g.leader)
	case len(g.order) == 0 && g.now != stateEmpty && g.now != statePreparing:
		return fmt.Errorf("%s without members", g.now)
	case g.now == statePreparing && g.rebalance.slot == 0:
		return fmt.Errorf("%s for ever", g.now)
	case g.now == stateCompleting && len(g.awaitingSync) > 0 && g.sync.slot == 0:
		return fmt.Errorf("%s for ever", g.now)
	}
	return nil
}

// showState describes what survives a restart. Classic groups that rebalance are left out: they are
// ahead of their record.
func showState(m *Machine) string {
	var b strings.Builder
	for _, id := range m.ids() {
		b.WriteString(showGroup(m, m.groups[id]))
	}
	return b.String()
}

func showGroup(m *Machine, e *entry) string {
	var b strings.Builder
	if g, ok := e.group.(*classicGroup); ok && (g.now == stateEmpty || g.now == stateStable) {
		fmt.Fprintf(&b, "%s: %s generation=%d type=%q protocol=%q leader=%q\n",
			e.id, g.now, g.generation, g.protocol, deref(g.protocolName), g.leader)
		for _, mem := range g.order {
			fmt.Fprintf(&b, "  %s instance=%s session=%s rebalance=%s says=%q assigned=%q\n",
				mem.id, showText(mem.instance), mem.sessionTimeout, mem.rebalanceTimeout,
				mem.metadata(g.protocolName), mem.assignment)
		}
	}
	if g, ok := e.group.(*consumerGroup); ok {
		b.WriteString(showConsumer(g))
	}
	b.WriteString(showOffsets(m, e))
	return b.String()
}

func showOffsets(m *Machine, e *entry) string {
	var b strings.Builder
	for _, at := range e.places() {
		fmt.Fprintf(&b, "  %s/%s-%d", e.id, at.topic, at.partition)
		if c := e.offsets.get(at.topic, at.partition); c != nil {
			fmt.Fprintf(&b, " offset=%d epoch=%d %q at=%d", c.offset, c.leaderEpoch, c.metadata, c.at)
		}
		open := slices.Clone(e.offsets.open[at])
		slices.Sort(open)
		for _, p := range open {
			fmt.Fprintf(&b, " pending=%d:%d", p, m.pending[p].byGroup[e.id][at].offset)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func showText(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func showRecord(s coordinator.Stored) string {
	m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
	if err := m.Replay(s); err != nil {
		return err.Error()
	}
	if version := s.Key[1]; version > 2 {
		return showConsumerRecord(s)
	}
	if s.Value == nil {
		name, rest, _ := takeString(s.Key[2:])
		topic, _, _ := takeString(append([]byte{}, rest...))
		return strings.TrimRight(fmt.Sprintf("tombstone of %s %s", name, topic), " ")
	}
	return strings.TrimSuffix(strings.ReplaceAll(showState(m), "\n  ", "\n     "), "\n")
}

func showReply(r coordinator.Reply) string {
	if r.Err != nil {
		return r.Err.Error()
	}
	switch v := r.Value.(type) {
	case nil:
		return "ok"
	case JoinResponse:
		s := fmt.Sprintf("member=%s generation=%d protocol=%s leader=%s", v.MemberID, v.Generation,
			showText(v.ProtocolName), v.Leader)
		if v.SkipAssignment {
			s += " skip-assignment"
		}
		for _, mem := range v.Members {
			s += fmt.Sprintf("\n  %s instance=%s says=%q", mem.MemberID, showText(mem.InstanceID), mem.Metadata)
		}
		return s
	case SyncResponse:
		return fmt.Sprintf("assigned=%q protocol=%s", v.Assignment, showText(v.ProtocolName))
	case LeaveResponse:
		var out []string
		for _, l := range v.Members {
			out = append(out, fmt.Sprintf("%s/%s %s", l.MemberID, showText(l.InstanceID), showErr(l.Err)))
		}
		return strings.Join(out, ", ")
	case ConsumerHeartbeatResponse, ConsumerDescribed:
		return showConsumerReply(v)
	}
	return showOffsetReply(r)
}

func showErr(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func showOffsetReply(r coordinator.Reply) string {
	var out []string
	switch v := r.Value.(type) {
	case CommitResponse:
		for _, topic := range v.Topics {
			for _, p := range topic.Partitions {
				out = append(out, fmt.Sprintf("%s-%d %s", topic.Topic, p.Partition, showErr(p.Err)))
			}
		}
	case FetchResponse:
		for _, topic := range v.Topics {
			for _, p := range topic.Partitions {
				s := fmt.Sprintf("%s-%d offset=%d epoch=%d %q", topic.Topic, p.Partition, p.Offset,
					p.LeaderEpoch, p.Metadata)
				if p.Err != nil {
					s = fmt.Sprintf("%s-%d %s", topic.Topic, p.Partition, p.Err)
				}
				out = append(out, s)
			}
		}
	case DeleteOffsetsResponse:
		for _, err := range v.Errs {
			out = append(out, showErr(err))
		}
	case DeleteResponse:
		for _, err := range v.Errs {
			out = append(out, showErr(err))
		}
	case Described:
		out = append(out, fmt.Sprintf("%s type=%q protocol=%q", v.State, v.ProtocolType, v.Protocol))
		for _, mem := range v.Members {
			out = append(out, fmt.Sprintf("%s instance=%s client=%s host=%s says=%q assigned=%q", mem.MemberID,
				showText(mem.InstanceID), mem.Client.ID, mem.Client.Host, mem.Metadata, mem.Assignment))
		}
		return strings.Join(out, "\n  ")
	default:
		return fmt.Sprint(v)
	}
	return strings.Join(out, ", ")
}

// unanswered lists who waits, for the end of transcripts.
func (d *driver) unanswered() string {
	var b strings.Builder
	for _, to := range slices.Sorted(maps.Keys(d.waiting)) {
		fmt.Fprintf(&b, "%s waits\n", d.waiting[to])
	}
	return b.String()
}
