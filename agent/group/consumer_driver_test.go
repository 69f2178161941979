package group

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/agent/group/reconcile"
	"github.com/varve-log/varve/kafka"
)

// checkConsumer holds a consumer group to what must be true between transitions.
func checkConsumer(g *consumerGroup) error {
	again := newConsumerGroup(g.m, g.id)
	for regex, r := range g.regexes {
		again.resolve(regex, &r)
	}
	for id, c := range g.members {
		for tp := range c.held {
			if other, taken := again.holders[tp]; taken {
				return fmt.Errorf("%s and %s hold %s-%d", other, id, tp.Topic.String(), tp.Partition)
			}
		}
		again.put(c)
		if ts := g.timers[id]; ts == nil || ts.session.slot == 0 {
			return fmt.Errorf("member %q has no session", id)
		}
		if c.epoch() > g.targetEpoch || g.targetEpoch > g.epoch {
			return fmt.Errorf("member %q is in epoch %d, the target of %d, the group of %d",
				id, c.epoch(), g.targetEpoch, g.epoch)
		}
	}
	switch {
	case !maps.Equal(g.holders, again.holders):
		return fmt.Errorf("holders are %v, want %v", g.holders, again.holders)
	case !maps.Equal(g.subscribed, again.subscribed):
		return fmt.Errorf("subscribed are %v, want %v", g.subscribed, again.subscribed)
	case !maps.Equal(g.static, again.static), !maps.Equal(g.byRegex, again.byRegex),
		!maps.Equal(g.assignors, again.assignors), !maps.Equal(g.protocols, again.protocols),
		g.classic != again.classic, len(g.timers) != len(g.members), len(g.target) > len(g.members):
		return fmt.Errorf("counts are wrong: %+v, want %+v", g, again)
	}
	return nil
}

var stateNames = map[reconcile.State]string{
	reconcile.Stable: "stable", reconcile.Unrevoked: "unrevoked", reconcile.Unreleased: "unreleased",
	reconcile.Unknown: "unknown",
}

// showID prints the name that testID made an id of.
func showID(id kafka.TopicID) string { return strings.TrimRight(string(id[:]), "\x00") }

func showAssignment(a assignor.Assignment) string {
	var out []string
	for _, id := range a.Topics() {
		for _, p := range a[id] {
			out = append(out, fmt.Sprintf("%s-%d", showID(id), p))
		}
	}
	return "[" + strings.Join(out, " ") + "]"
}

func showEpochs(e reconcile.Epochs) string {
	var out []string
	for _, id := range partitionsOf(e).Topics() {
		for _, p := range slices.Sorted(maps.Keys(e[id])) {
			out = append(out, fmt.Sprintf("%s-%d@%d", showID(id), p, e[id][p]))
		}
	}
	return "[" + strings.Join(out, " ") + "]"
}

func showReconciled(r reconcile.Member) string {
	s := fmt.Sprintf("epoch=%d<-%d %s has=%s", r.Epoch, r.PreviousEpoch, stateNames[r.State],
		showEpochs(r.Assigned))
	if len(r.Revoking) > 0 {
		s += " revokes=" + showEpochs(r.Revoking)
	}
	return s
}

func showMember(c *consumerMember) string {
	s := fmt.Sprintf("topics=%v", c.topics)
	for _, f := range []struct{ name, value string }{
		{"regex", c.regex}, {"instance", c.instance}, {"rack", c.rack}, {"assignor", c.assignor},
	} {
		if f.value != "" {
			s += fmt.Sprintf(" %s=%s", f.name, f.value)
		}
	}
	if c.rebalance >= 0 {
		s += " rebalance=" + c.rebalance.String()
	}
	if c.classic != nil {
		s += " classic session=" + c.classic.session.String()
		for _, p := range c.classic.protocols {
			s += " " + p.Name
		}
	}
	return s
}

// showConsumer describes what survives a restart.
func showConsumer(g *consumerGroup) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: consumer %s epoch=%d target=%d hash=%t\n", g.id, g.state(), g.epoch,
		g.targetEpoch, g.hash != 0)
	for _, id := range sortedKeys(g.members) {
		c := g.members[id]
		fmt.Fprintf(&b, "  %s %s\n    %s target=%s\n", id, showMember(c), showReconciled(c.reconciled),
			showAssignment(g.target[id]))
	}
	for _, regex := range sortedKeys(g.regexes) {
		fmt.Fprintf(&b, "  %s matches %v\n", regex, g.regexes[regex].topics)
	}
	return b.String()
}

var keyNames = map[int16]string{
	keyEpoch: "epoch", keyOldTopics: "old-topics", keyMember: "member", keyTargetEpoch: "target-epoch",
	keyTarget: "target", keyCurrent: "current", keyRegex: "regex",
}

func showConsumerRecord(s coordinator.Stored) string {
	version := int16(s.Key[1])
	names, err := consumerNames(version, s.Key[2:])
	if err != nil {
		return err.Error()
	}
	what := keyNames[version] + " " + strings.Join(names, "/")
	if s.Value == nil {
		return what + " gone"
	}
	m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
	if err := m.Replay(s); err != nil {
		return err.Error()
	}
	g := m.consumer(names[0], true)
	switch version {
	case keyEpoch:
		return fmt.Sprintf("%s %d", what, g.epoch)
	case keyMember:
		return what + " " + showMember(g.members[names[1]])
	case keyTargetEpoch:
		return fmt.Sprintf("%s %d", what, g.targetEpoch)
	case keyTarget:
		return what + " " + showAssignment(g.target[names[1]])
	case keyCurrent:
		return what + " " + showReconciled(g.members[names[1]].reconciled)
	}
	return fmt.Sprintf("%s %v", what, g.regexes[names[1]].topics)
}

func showConsumerReply(v any) string {
	switch v := v.(type) {
	case ConsumerHeartbeatResponse:
		s := fmt.Sprintf("member=%s epoch=%d", v.MemberID, v.MemberEpoch)
		if v.Assignment != nil {
			s += " reads=" + showAssignment(v.Assignment)
		}
		return s
	case ConsumerDescribed:
		out := fmt.Sprintf("%s epoch=%d/%d assignor=%s", v.State, v.Epoch, v.AssignmentEpoch, v.Assignor)
		for _, m := range v.Members {
			out += fmt.Sprintf("\n  %s instance=%s rack=%s epoch=%d client=%s host=%s topics=%v regex=%q "+
				"has=%v target=%v classic=%t", m.MemberID, showText(m.InstanceID), showText(m.Rack), m.Epoch,
				m.Client.ID, m.Client.Host, m.Topics, m.Regex, showTopics(m.Assigned), showTopics(m.Target),
				m.Classic)
		}
		return out
	}
	return "?"
}

func showTopics(list []AssignedTopic) string {
	var out []string
	for _, topic := range list {
		out = append(out, fmt.Sprintf("%s%v", topic.Name, topic.Partitions))
	}
	return strings.Join(out, " ")
}

// setTopics makes topics exist: name:partitions pairs. A name with ! has another id than before.
func (d *driver) setTopics(list string) {
	var all []Topic
	for _, s := range strings.Split(list, ",") {
		name, partitions, _ := strings.Cut(s, ":")
		id := testID(name)
		name = strings.TrimSuffix(name, "!")
		if n, err := strconv.Atoi(partitions); err == nil {
			all = append(all, Topic{Name: name, ID: id, Partitions: int32(n)})
		}
	}
	d.topics.image = NewImage(d.topics.image.Version()+1, all...)
}

// owned reads what a client says it owns: topic-partition words; "none" is nothing.
func (a args) owned() assignor.Assignment {
	if !a.has("owns") {
		return nil
	}
	owned := assignor.Assignment{}
	for _, s := range strings.Split(a.text("owns", ""), ",") {
		topic, partition, ok := strings.Cut(s, "-")
		if n, err := strconv.Atoi(partition); ok && err == nil {
			owned[testID(topic)] = append(owned[testID(topic)], int32(n))
		}
	}
	return owned
}

// consumerHeartbeat reads a ConsumerGroupHeartbeat. A joining one is full without saying so.
func (a args) consumerHeartbeat() ConsumerHeartbeatRequest {
	q := ConsumerHeartbeatRequest{
		Version: int16(a.number("v", 1)), Group: a.text("group", "g"), MemberID: a.text("id", ""),
		MemberEpoch: int32(a.number("epoch", 0)), InstanceID: a.nullable("instance"), Rack: a.nullable("rack"),
		Client: Client{ID: a.text("client", "c"), Host: "/127.0.0.1"}, RebalanceTimeout: -1,
		Regex: a.nullable("regex"), Assignor: a.nullable("assignor"), Owned: a.owned(),
	}
	if a.has("topics") {
		q.Topics = []string{}
		if list := a.text("topics", ""); list != "" {
			q.Topics = strings.Split(list, ",")
		}
	}
	if q.MemberEpoch == EpochJoin && !a.has("bare") {
		q.RebalanceTimeout = a.duration("rebalance", time.Minute)
		if q.Owned == nil {
			q.Owned = assignor.Assignment{}
		}
	} else if a.has("rebalance") {
		q.RebalanceTimeout = a.duration("rebalance", 0)
	}
	return q
}

// subscription is what a consumer of the classic protocol says, in version 1.
func (a args) subscription(d *driver) []byte {
	w := kmsg.NewConsumerMemberMetadata()
	w.Version = 1
	w.Topics = strings.Split(a.text("topics", "t"), ",")
	for id, partitions := range a.owned() {
		topic, _ := d.topics.image.ByID(id)
		w.OwnedPartitions = append(w.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{
			Topic: topic.Name, Partitions: partitions,
		})
	}
	return w.AppendTo(nil)
}

// assignmentBytes is what a leader assigns: topic-partition words.
func assignmentBytes(d *driver, words []string, data string) []byte {
	w := kmsg.NewConsumerMemberAssignment()
	w.Version = 1
	if data != "" {
		w.UserData = []byte(data)
	}
	for _, word := range words {
		topic, partition, _ := strings.Cut(word, "-")
		if n, err := strconv.Atoi(partition); err == nil {
			w.Topics = append(w.Topics, kmsg.ConsumerMemberAssignmentTopic{
				Topic: topic, Partitions: []int32{int32(n)},
			})
		}
	}
	return w.AppendTo(nil)
}

// consumerCommands are those of the transcripts of consumer groups.
var consumerCommands = map[string]func(d *driver, a args){
	"topics": func(d *driver, a args) { d.setTopics(a.text("are", "")) },
	"hb": func(d *driver, a args) {
		q := a.consumerHeartbeat()
		d.ask(strings.TrimSpace("hb "+q.MemberID), func(
			now time.Time, to coordinator.Token,
		) coordinator.Effects {
			return d.m.ConsumerHeartbeat(now, to, q)
		})
	},
	"describe-consumers": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.ConsumerDescribe(now, to, a.text("group", "g"))
		})
	},
	"join-consumers": func(d *driver, a args) {
		var protocols []Protocol
		for _, name := range strings.Split(a.text("protocols", "range"), ",") {
			protocols = append(protocols, Protocol{Name: name, Metadata: a.subscription(d)})
		}
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Join(now, to, JoinRequest{
				Group: a.text("group", "g"), MemberID: a.text("id", ""), InstanceID: a.nullable("instance"),
				Client:         Client{ID: a.text("client", "c"), Host: "/127.0.0.1"},
				SessionTimeout: a.duration("session", 10*time.Second), RequireMemberID: a.number("v", 9) >= 4,
				RebalanceTimeout: a.duration("rebalance", time.Minute), ProtocolType: a.text("type", "consumer"),
				Protocols: protocols,
			})
		})
	},
	"sync-consumers": func(d *driver, a args) {
		q := SyncRequest{
			Group: a.text("group", "g"), MemberID: a.text("id", ""), InstanceID: a.nullable("instance"),
			Generation: int32(a.number("generation", 1)), ProtocolName: a.nullable("protocol"),
			ProtocolType: a.nullable("type"), Assignments: map[string][]byte{},
		}
		for _, s := range strings.Split(a.text("assign", ""), ",") {
			if id, what, ok := strings.Cut(s, ":"); ok {
				q.Assignments[id] = assignmentBytes(d, strings.Split(what, "+"), a.text("data", ""))
			}
		}
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Sync(now, to, q)
		})
	},
	"fetch-as": func(d *driver, a args) {
		d.ask(a.who(), func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Fetch(now, to, FetchRequest{
				Group: a.text("group", "g"), All: true, MemberID: a.nullable("id"),
				MemberEpoch: int32(a.number("epoch", -1)),
			})
		})
	},
}
