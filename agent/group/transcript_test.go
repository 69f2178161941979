package group

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// TestTranscripts runs the stories of testdata/transcripts. Each command prints what it appends to the
// log, the answers it gives, named by who asked, and who waits for one. After each the state that a
// restart would find is held against the live one.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		var d *driver
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			if c.Cmd == "new" {
				d = newDriver(t, testConfig(t, c))
				return "ok\n"
			}
			d.t = t
			d.out.Reset()
			run, ok := commands[c.Cmd]
			if !ok {
				run, ok = consumerCommands[c.Cmd]
			}
			if !ok {
				t.Fatalf("%s: no command %q", c.Pos, c.Cmd)
			}
			run(d, args{t, c})
			out := d.out.String() + d.unanswered()
			if want, got := durable(d.m), durable(d.load()); want != got && !rebalancing(d.m) {
				t.Fatalf("%s: a restart finds\n%s\nbut there was\n%s", c.Pos, got, want)
			}
			if out == "" {
				return "-\n"
			}
			return out
		})
	})
}

func durable(m *Machine) string { return showState(m) }

// rebalancing reports whether some group is ahead of its record.
func rebalancing(m *Machine) bool {
	for _, e := range m.groups {
		if g, ok := e.group.(*classicGroup); ok && g.now != stateEmpty && g.now != stateStable {
			return true
		}
	}
	return false
}

func testConfig(t *testing.T, c *datadriven.TestData) Config {
	cfg := DefaultConfig()
	a := args{t, c}
	cfg.MembersMax = a.number("max", cfg.MembersMax)
	cfg.PendingMembersMax = a.number("pending", cfg.PendingMembersMax)
	cfg.GroupBytesMax = a.number("bytes", cfg.GroupBytesMax)
	cfg.BatchBytesMax = a.number("batch", cfg.BatchBytesMax)
	cfg.OffsetMetadataMax = a.number("metadata", cfg.OffsetMetadataMax)
	cfg.InitialRebalanceDelay = a.duration("delay", cfg.InitialRebalanceDelay)
	cfg.OffsetsRetention = a.duration("retention", cfg.OffsetsRetention)
	cfg.Consumer.MembersMax = a.number("consumers", cfg.Consumer.MembersMax)
	cfg.Consumer.AssignmentInterval = a.duration("interval", 0)
	cfg.Consumer.Migration = Migration(a.text("migration", string(cfg.Consumer.Migration)))
	return cfg
}

// args reads a command's arguments.
type args struct {
	t *testing.T
	c *datadriven.TestData
}

func (a args) text(name, or string) string {
	for _, arg := range a.c.CmdArgs {
		if arg.Key == name && len(arg.Vals) > 0 {
			return strings.Join(arg.Vals, ",")
		}
	}
	return or
}

func (a args) has(name string) bool {
	for _, arg := range a.c.CmdArgs {
		if arg.Key == name {
			return true
		}
	}
	return false
}

func (a args) nullable(name string) *string {
	if !a.has(name) {
		return nil
	}
	s := a.text(name, "")
	return &s
}

func (a args) number(name string, or int) int {
	if !a.has(name) {
		return or
	}
	n, err := strconv.Atoi(a.text(name, ""))
	if err != nil {
		a.t.Fatalf("%s: %v", a.c.Pos, err)
	}
	return n
}

func (a args) duration(name string, or time.Duration) time.Duration {
	if !a.has(name) {
		return or
	}
	x, err := time.ParseDuration(a.text(name, ""))
	if err != nil {
		a.t.Fatalf("%s: %v", a.c.Pos, err)
	}
	return x
}

// who names the asker in the output.
func (a args) who() string { return strings.TrimSpace(a.c.Cmd + " " + a.text("as", "")) }

// protocols reads name:metadata pairs; metadata of consumers are topics split by +.
func (a args) protocols() []Protocol {
	var out []Protocol
	for _, p := range strings.Split(a.text("protocols", "range:t"), ",") {
		if p == "" {
			continue
		}
		name, topics, _ := strings.Cut(p, ":")
		out = append(out, Protocol{Name: name, Metadata: subscription(strings.Split(topics, "+")...)})
	}
	return out
}

// subscription is a consumer's metadata, version 0.
func subscription(topics ...string) []byte {
	b := []byte{0, 0, 0, 0, 0, byte(len(topics))}
	for _, topic := range topics {
		b = appendString(b, topic)
	}
	return append(b, 0xff, 0xff, 0xff, 0xff)
}

// topics reads topic-partition:offset:metadata triples.
func (a args) topics() []TopicCommit {
	var out []TopicCommit
	for _, s := range strings.Split(a.text("offsets", ""), ",") {
		f := append(strings.Split(s, ":"), "", "")
		topic, partition, _ := strings.Cut(f[0], "-")
		n, _ := strconv.Atoi(partition)
		offset, _ := strconv.ParseInt(f[1], 10, 64)
		if len(out) == 0 || out[len(out)-1].Topic != topic {
			out = append(out, TopicCommit{Topic: topic, ID: testID(a.text("topic-id", ""))})
		}
		last := &out[len(out)-1]
		last.Partitions = append(last.Partitions, PartitionCommit{
			Partition: int32(n), Offset: kafka.Offset(offset), LeaderEpoch: 3, Metadata: f[2],
		})
	}
	return out
}

func (a args) partitions() []TopicFetch {
	var out []TopicFetch
	for _, topic := range a.topics() {
		f := TopicFetch{Topic: topic.Topic, ID: topic.ID}
		for _, p := range topic.Partitions {
			f.Partitions = append(f.Partitions, p.Partition)
		}
		out = append(out, f)
	}
	return out
}

func (a args) producer() *coordinator.Producer {
	return &coordinator.Producer{ID: kafka.ProducerID(a.number("producer", 1)), Epoch: 0}
}

// testID makes a topic id of a letter; none is the zero id.
func testID(s string) (id kafka.TopicID) {
	copy(id[:], s)
	return id
}

var commands = map[string]func(d *driver, a args){
	"join": func(d *driver, a args) {
		version := a.number("v", 9)
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Join(now, to, JoinRequest{
				Group: a.text("group", "g"), MemberID: a.text("id", ""), InstanceID: a.nullable("instance"),
				Client:         Client{ID: a.text("client", "c"), Host: "/127.0.0.1"},
				SessionTimeout: a.duration("session", 10*time.Second), RequireMemberID: version >= 4,
				RebalanceTimeout: a.duration("rebalance", time.Minute), SkipAssignment: version >= 9,
				ProtocolType: a.text("type", "consumer"), Protocols: a.protocols(),
			})
		})
	},
	"sync": func(d *driver, a args) {
		q := SyncRequest{
			Group: a.text("group", "g"), MemberID: a.text("id", ""), InstanceID: a.nullable("instance"),
			Generation: int32(a.number("generation", 1)), ProtocolName: a.nullable("protocol"),
			ProtocolType: a.nullable("type"), Assignments: make(map[string][]byte),
		}
		for _, s := range strings.Split(a.text("assign", ""), ",") {
			if id, what, ok := strings.Cut(s, ":"); ok {
				n, _ := strconv.Atoi(strings.TrimPrefix(what, "@")) // @n: n bytes
				q.Assignments[id] = append([]byte(what), make([]byte, n)...)
			}
		}
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Sync(now, to, q)
		})
	},
	"heartbeat": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Heartbeat(now, to, HeartbeatRequest{
				Group: a.text("group", "g"), MemberID: a.text("id", ""), InstanceID: a.nullable("instance"),
				Generation: int32(a.number("generation", 1)),
			})
		})
	},
	"leave": func(d *driver, a args) {
		q := LeaveRequest{Group: a.text("group", "g")}
		for _, s := range strings.Split(a.text("members", ""), ",") {
			id, instance, ok := strings.Cut(s, "/")
			l := Leaving{MemberID: id}
			if ok {
				l.InstanceID = &instance
			}
			q.Members = append(q.Members, l)
		}
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Leave(now, to, q)
		})
	},
	"commit": func(d *driver, a args) {
		q := CommitRequest{
			Group: a.text("group", "g"), MemberID: a.text("id", ""), InstanceID: a.nullable("instance"),
			Generation: int32(a.number("generation", -1)), Version: int16(a.number("v", 9)),
			Retention: a.duration("keep", -1), Topics: a.topics(),
		}
		if a.has("producer") {
			q.Producer = a.producer()
		}
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Commit(now, to, q)
		})
	},
	"end": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.EndTransaction(now, to, coordinator.Marker{
				Producer: *a.producer(), Commit: a.has("commit"),
			})
		})
	},
	"fetch": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Fetch(now, to, FetchRequest{
				Group: a.text("group", "g"), RequireStable: a.has("stable"), All: !a.has("offsets"),
				Topics: a.partitions(), MemberEpoch: -1,
			})
		})
	},
	"delete-offsets": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.DeleteOffsets(now, to, DeleteOffsetsRequest{
				Group: a.text("group", "g"), Topics: a.partitions(),
			})
		})
	},
	"delete": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Delete(now, to, strings.Split(a.text("groups", "g"), ","))
		})
	},
	"topics-deleted": func(d *driver, a args) {
		var gone []DeletedTopic
		for _, topic := range a.topics() {
			gone = append(gone, DeletedTopic{Name: topic.Topic, ID: topic.ID})
		}
		d.take(d.m.TopicsDeleted(d.now, gone))
	},
	"describe": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Describe(now, to, a.text("group", "g"))
		})
	},
	"list": func(d *driver, a args) {
		q := ListRequest{}
		if a.has("states") {
			q.States = strings.Split(a.text("states", ""), ",")
		}
		if a.has("types") {
			q.Types = strings.Split(a.text("types", ""), ",")
		}
		for _, l := range d.m.List(q) {
			fmt.Fprintf(&d.out, "%s %s %s %q\n", l.Group, l.Type, l.State, l.ProtocolType)
		}
	},
	"wait":    func(d *driver, a args) { d.advance(a.duration("for", 0)) },
	"restart": func(d *driver, _ args) { d.restart() },
	"state":   func(d *driver, _ args) { d.out.WriteString(showState(d.m)) },
}
