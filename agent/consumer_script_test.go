package agent

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/agent/group"
)

// captured is what Apache Kafka 4.3.1 wrote and said when it was asked what script asks.
type captured struct {
	// Answers are the script's lines.
	Answers []string
	// Records of __consumer_offsets in the order of their offsets, partition after partition, in hex. A
	// record without Value is a tombstone.
	Records []capturedRecord
	// Groups are how Kafka describes them at the end, as capturedGroup prints them.
	Groups []string
	// Topics are the ids and partition counts.
	Topics []group.Topic
}

type capturedRecord struct{ Key, Value string }

const captureFile = "group/testdata/kafka-4.3.1-consumer-groups.json"

// TestCapture asks a Kafka at VARVE_CAPTURE, host:port, and writes what it says and stores to VARVE_CAPTURE_TO. It needs
// offsets.topic.num.partitions of any number and no groups or topics from before.
func TestCapture(t *testing.T) {
	at := os.Getenv("VARVE_CAPTURE")
	if at == "" {
		t.Skip("VARVE_CAPTURE names no Kafka to ask")
	}
	c := &captured{}
	s := &script{t: t, client: clientAt(t, at), pace: 1200 * time.Millisecond}
	s.run()
	c.Answers, c.Groups = s.lines, s.described
	for name, id := range s.topics {
		c.Topics = append(c.Topics, group.Topic{Name: name, ID: id, Partitions: scriptTopics[name]})
	}
	slices.SortFunc(c.Topics, func(a, b group.Topic) int { return strings.Compare(a.Name, b.Name) })
	c.Records = consumeOffsets(t, at)
	b, err := json.MarshalIndent(c, "", " ")
	if err == nil {
		err = os.WriteFile(os.Getenv("VARVE_CAPTURE_TO"), append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func clientAt(t *testing.T, at string, opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(at), kgo.ClientID("script"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// consumeOffsets reads all of __consumer_offsets.
func consumeOffsets(t *testing.T, at string) []capturedRecord {
	cl := clientAt(t, at, kgo.ConsumeTopics("__consumer_offsets"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	byPartition := map[int32][]capturedRecord{}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		if fetches.NumRecords() == 0 {
			break
		}
		fetches.EachRecord(func(r *kgo.Record) {
			w := capturedRecord{Key: hex.EncodeToString(r.Key), Value: hex.EncodeToString(r.Value)}
			byPartition[r.Partition] = append(byPartition[r.Partition], w)
		})
	}
	var all []capturedRecord
	for _, p := range slices.Sorted(maps.Keys(byPartition)) {
		all = append(all, byPartition[p]...)
	}
	return all
}

// script asks for every kind of transition, each in a group of its own, and writes down what is
// answered. Partitions are counted and not named: which of equal members gets which is left to the
// coordinator.
type script struct {
	t         *testing.T
	client    *kgo.Client
	topics    map[string][16]byte
	lines     []string
	described []string
	pace      time.Duration // Kafka needs time to load partitions, and between two targets
}

var scriptTopics = map[string]int32{"c1": 4, "c2": 2, "d1": 3}

func (s *script) ask(req kmsg.Request) kmsg.Response {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	resp, err := s.client.Request(ctx, req)
	for errors.Is(err, kerr.CoordinatorNotAvailable) && ctx.Err() == nil {
		<-time.After(100 * time.Millisecond) // __consumer_offsets is being made
		resp, err = s.client.Request(ctx, req)
	}
	if err != nil {
		s.t.Fatalf("%T: %v", req, err)
	}
	return resp
}

func (s *script) note(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
	s.t.Log(s.lines[len(s.lines)-1])
}

// member is a member of the script with what it was told last.
type scripted struct {
	s         *script
	group, id string
	instance  *string
	epoch     int32
	reads     []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic
}

// heartbeat asks with the member's epoch.
func (m *scripted) heartbeat(change func(*kmsg.ConsumerGroupHeartbeatRequest)) int16 {
	q := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	q.Group, q.MemberID, q.MemberEpoch, q.InstanceID = m.group, m.id, m.epoch, m.instance
	if change != nil {
		change(q)
	}
	a := m.s.ask(q).(*kmsg.ConsumerGroupHeartbeatResponse)
	line := fmt.Sprintf("%s/%s epoch %d: ", m.group, m.id, q.MemberEpoch)
	if a.ErrorCode != 0 {
		m.s.note("%s%s", line, kerr.ErrorForCode(a.ErrorCode).(*kerr.Error).Message)
		return a.ErrorCode
	}
	line += fmt.Sprintf("epoch %d", a.MemberEpoch)
	if a.Assignment != nil {
		n := 0
		for _, topic := range a.Assignment.Topics {
			n += len(topic.Partitions)
		}
		line += fmt.Sprintf(", %d partitions", n)
		m.reads = a.Assignment.Topics
	}
	m.epoch = a.MemberEpoch
	m.s.note("%s", line)
	return 0
}

// joins is a first heartbeat.
func (m *scripted) joins(change func(*kmsg.ConsumerGroupHeartbeatRequest)) *scripted {
	m.epoch = 0
	m.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) {
		q.RebalanceTimeoutMillis, q.Topics = 60_000, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		change(q)
	})
	return m
}

// owns is a heartbeat that says that the member reads what it was told.
func (m *scripted) owns() {
	m.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) {
		q.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		for _, topic := range m.reads {
			q.Topics = append(q.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{
				TopicID: topic.TopicID, Partitions: topic.Partitions,
			})
		}
	})
}

func names(topics ...string) func(*kmsg.ConsumerGroupHeartbeatRequest) {
	return func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.SubscribedTopicNames = topics }
}

func (s *script) member(group, id string) *scripted { return &scripted{s: s, group: group, id: id} }

// pass lets more time go by than there has to be between two targets.
func (s *script) pass() { <-time.After(s.pace) }

func (s *script) run() {
	s.createTopics()
	s.awaitCoordinators()
	s.plain()
	s.assignor()
	s.regex()
	s.fencing()
	s.static()
	s.upgrade()
	s.downgrade()
	s.emptied()
	for _, group := range []string{"plain", "range", "regex", "static", "up", "down", "empty", "gone"} {
		s.describe(group)
	}
}

// awaitCoordinators lets __consumer_offsets be made, and all its partitions be loaded.
func (s *script) awaitCoordinators() {
	q := kmsg.NewPtrFindCoordinatorRequest()
	q.CoordinatorKeys = []string{"plain"}
	for range 100 {
		a := s.ask(q).(*kmsg.FindCoordinatorResponse)
		if len(a.Coordinators) == 1 && a.Coordinators[0].ErrorCode == 0 {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	<-time.After(3 * s.pace)
}

func (s *script) createTopics() {
	q := kmsg.NewPtrCreateTopicsRequest()
	q.TimeoutMillis = 10_000
	for _, name := range slices.Sorted(maps.Keys(scriptTopics)) {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, scriptTopics[name], 1
		q.Topics = append(q.Topics, topic)
	}
	s.topics = map[string][16]byte{}
	for _, topic := range s.ask(q).(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			s.t.Fatalf("create %s: %v", topic.Topic, err)
		}
		s.topics[topic.Topic] = topic.TopicID
	}
}

// plain: members come, share and commit; one goes.
func (s *script) plain() {
	a := s.member("plain", "a").joins(names("c1"))
	a.heartbeat(nil)
	s.pass()
	b := s.member("plain", "b").joins(names("c1"))
	a.heartbeat(nil)
	b.heartbeat(nil)
	a.owns()
	b.heartbeat(nil)
	b.owns()
	s.commit(a, a.epoch, "c1", a.reads[0].Partitions[0])
	s.commit(a, a.epoch+1, "c1", 0)
	s.commit(a, 1, "c1", 0)
	s.pass()
	c := s.member("plain", "c").joins(names("c1"))
	a.heartbeat(nil)
	c.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -1 })
	s.pass()
	b.heartbeat(nil)
	a.owns()
	b.owns()
	a.heartbeat(nil)
}

// assignor: range, and topics of two kinds.
func (s *script) assignor() {
	ranged := func(topics ...string) func(*kmsg.ConsumerGroupHeartbeatRequest) {
		return func(q *kmsg.ConsumerGroupHeartbeatRequest) {
			q.SubscribedTopicNames, q.ServerAssignor = topics, kmsg.StringPtr("range")
			q.RackID = kmsg.StringPtr("r1")
		}
	}
	a := s.member("range", "a").joins(ranged("c1", "c2"))
	s.pass()
	b := s.member("range", "b").joins(ranged("c1", "c2"))
	a.heartbeat(nil)
	a.owns()
	b.heartbeat(nil)
	a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.ServerAssignor = kmsg.StringPtr("sticky") })
	a.heartbeat(names("c1", "c2", "d1"))
	s.pass()
	a.owns()
	b.owns()
	a.heartbeat(nil)
	b.heartbeat(names())
	b.reads = nil
	b.owns()
}

// regex: the first answer may come without topics, as Kafka looks for them in the background.
func (s *script) regex() {
	with := func(regex string) func(*kmsg.ConsumerGroupHeartbeatRequest) {
		return func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.SubscribedTopicRegex = &regex }
	}
	s.member("regex", "x").joins(with("*c"))
	a := s.member("regex", "a").joins(with("c.*"))
	lines := len(s.lines) - 1
	s.pass()
	a.heartbeat(nil)
	s.lines = slices.Delete(s.lines, lines, len(s.lines))
	a.heartbeat(nil)
}

// fencing: wrong members and epochs.
func (s *script) fencing() {
	a := s.member("fencing", "a")
	a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = 3 })
	a.joins(names("c1"))
	for _, epoch := range []int32{9, 1, -3, -2} {
		a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = epoch })
	}
	s.member("fencing", "z").heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -1 })
	s.member("fencing", "z").heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = 1 })
	s.member("fencing", "z").heartbeat(nil)
	s.member("fencing", "").joins(names("c1"))
	a.joins(names("c1"))
	a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -1 })
}

// static: an instance leaves and comes back.
func (s *script) static() {
	i, j := "i", "j"
	a := s.member("static", "a")
	a.instance = &i
	a.joins(names("c1"))
	s.pass()
	b := s.member("static", "b")
	b.instance = &j
	b.joins(names("c1"))
	a.heartbeat(nil)
	a.owns()
	b.heartbeat(nil)
	c := s.member("static", "c")
	c.instance = &i
	c.joins(names("c1"))
	c.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = 3 })
	a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -2 })
	c.joins(names("c1"))
	a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = 3 })
	b.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -2 })
}

// emptied: a group whose members left, and one that was deleted then.
func (s *script) emptied() {
	for _, group := range []string{"empty", "gone"} {
		a := s.member(group, "a").joins(names("d1"))
		s.commit(a, a.epoch, "d1", 1)
		a.heartbeat(func(q *kmsg.ConsumerGroupHeartbeatRequest) { q.MemberEpoch = -1 })
	}
	q := kmsg.NewPtrDeleteGroupsRequest()
	q.Groups = []string{"gone"}
	s.note("delete gone: %d", s.ask(q).(*kmsg.DeleteGroupsResponse).Groups[0].ErrorCode)
}

func (s *script) commit(m *scripted, epoch int32, topic string, partition int32) {
	q := kmsg.NewPtrOffsetCommitRequest()
	q.Group, q.MemberID, q.Generation = m.group, m.id, epoch
	w := kmsg.NewOffsetCommitRequestTopic()
	w.Topic, w.TopicID = topic, s.topics[topic]
	w.Partitions = []kmsg.OffsetCommitRequestTopicPartition{{Partition: partition, LeaderEpoch: -1}}
	q.Topics = append(q.Topics, w)
	r := s.ask(q).(*kmsg.OffsetCommitResponse)
	s.note("%s/%s commits in epoch %d: %d", m.group, m.id, epoch, r.Topics[0].Partitions[0].ErrorCode)
}

func (s *script) describe(group string) {
	q := kmsg.NewPtrConsumerGroupDescribeRequest()
	q.Groups = []string{group}
	d := s.ask(q).(*kmsg.ConsumerGroupDescribeResponse).Groups[0]
	line := fmt.Sprintf("%s: error=%d %s %d/%d %s", group, d.ErrorCode, d.State, d.Epoch, d.AssignmentEpoch,
		d.AssignorName)
	slices.SortFunc(d.Members, func(a, b kmsg.ConsumerGroupDescribeResponseGroupMember) int {
		return strings.Compare(a.MemberID, b.MemberID)
	})
	for _, m := range d.Members {
		slices.Sort(m.SubscribedTopics)
		line += fmt.Sprintf("; %s instance=%s rack=%s epoch=%d client=%s%s topics=%v regex=%q type=%d",
			m.MemberID, orDash(m.InstanceID), orDash(m.RackID), m.MemberEpoch, m.ClientID, m.ClientHost,
			m.SubscribedTopics, orDash(m.SubscribedTopicRegex), m.MemberType)
		line += " has=" + describedPartitions(m.Assignment.TopicPartitions)
		line += " target=" + describedPartitions(m.TargetAssignment.TopicPartitions)
	}
	s.described = append(s.described, line)
}

func describedPartitions(list []kmsg.AssignmentTopicPartition) string {
	var out []string
	for _, topic := range list {
		for _, p := range topic.Partitions {
			out = append(out, fmt.Sprintf("%s-%d", topic.Topic, p))
		}
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}
