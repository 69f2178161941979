package cluster

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/varve-log/varve/kafka"
)

func agent(id int32, disk string) RegisterAgent {
	return RegisterAgent{Agent: Agent{ID: id, DiskUUID: disk, Advertised: "h:1", FormatMax: 1}}
}

func topicID(n int) kafka.TopicID { return kafka.TopicID{byte(n >> 16), byte(n >> 8), byte(n), 1} }

// commit applies changes as the catalog does.
func commit(t interface{ Fatal(...any) }, s *State, changes ...Change) *State {
	next, err := Apply(s, changes...)
	if err != nil {
		t.Fatal(err)
	}
	d, changed := Diff(s, next, s.Version+1)
	if !changed {
		return s
	}
	if next, err = s.Advance(d); err != nil {
		t.Fatal(err)
	}
	return next
}

func assign(partitions int, agents ...int32) [][]int32 {
	as := make([][]int32, partitions)
	for i := range as {
		as[i] = agents
	}
	return as
}

func TestChangesRefuseWithAReason(t *testing.T) {
	s := commit(t, NewState("c"), agent(1, "a"),
		CreateTopic{ID: topicID(1), Name: "t", Assignments: assign(2, 1)},
		CreateTopic{ID: topicID(9), Name: "a.b_c", Assignments: assign(1, 1)})
	for _, c := range []struct {
		change Change
		want   error
	}{
		{CreateTopic{ID: topicID(2), Name: "t", Assignments: assign(1, 1)}, ErrTopicExists},
		// Kafka refuses names that metrics cannot tell apart; this did not.
		{CreateTopic{ID: topicID(2), Name: "a_b.c", Assignments: assign(1, 1)}, ErrNameCollides},
		{CreateTopic{ID: topicID(1), Name: "u", Assignments: assign(1, 1)}, ErrInvalid},
		{CreateTopic{ID: topicID(2), Name: "u", Assignments: assign(1, 9)}, ErrUnknownAgent},
		{CreateTopic{ID: topicID(2), Name: "u", Assignments: assign(1, 1, 1)}, ErrInvalid},
		{CreateTopic{ID: topicID(2), Name: "u"}, ErrInvalid},
		{CreateTopic{ID: topicID(2), Name: "", Assignments: assign(1, 1)}, ErrInvalid},
		{DeleteTopic{ID: topicID(2)}, ErrUnknownTopic},
		{ForgetTopic{ID: topicID(1)}, ErrInvalid},
		{CreatePartitions{ID: topicID(1), Have: 1, Assignments: assign(1, 1)}, ErrStale},
		{CreatePartitions{ID: topicID(2), Have: 1, Assignments: assign(1, 1)}, ErrUnknownTopic},
		{AlterConfigs{Topic: topicID(2)}, ErrUnknownTopic},
		{AlterConfigs{AllAgents: true, Set: map[string]string{"": "x"}}, ErrInvalid},
		{AlterConfigs{Group: "g", Set: map[string]string{"": "x"}}, ErrInvalid},
		{agent(1, "other"), ErrClaimed},
		{agent(2, "a"), ErrClaimed},
		{agent(-1, "z"), ErrInvalid},
		{MarkCleanStop{Agent: 1, Incarnation: 99}, ErrSuperseded},
		{RequireIncarnation{Agent: 7, Incarnation: 1}, ErrSuperseded},
		{StartLeading{Agent: 7}, ErrUnknownAgent},
		{StartLeading{Agent: 1, Incarnation: 99}, ErrSuperseded},
		{AllocateProducerIDs{Agent: 7}, ErrUnknownAgent},
		{SetPartition{TP: kafka.TopicPartition{Topic: topicID(1), Partition: 9}}, ErrUnknownPartition},
		{SetPartition{
			TP: kafka.TopicPartition{Topic: topicID(1)}, Partition: Partition{PartitionEpoch: 5},
		}, ErrStale},
	} {
		if _, err := c.change.Apply(s); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.change, err, c.want)
		}
	}
}

func TestATopicMadeAgainUnderItsNameIsAnother(t *testing.T) {
	s := commit(t, NewState("c"), agent(1, "a"),
		CreateTopic{ID: topicID(1), Name: "t", Assignments: assign(2, 1)})
	s = commit(t, s, DeleteTopic{ID: topicID(1), At: 5})
	s = commit(t, s, CreateTopic{ID: topicID(2), Name: "t", Assignments: assign(1, 1)})
	topic, _ := s.Topic("t")
	d, ok := s.Deleted(topicID(1))
	if topic.ID != topicID(2) || !ok || d.Partitions != 2 || d.DeletedAt != 5 {
		t.Fatalf("%+v, %+v", topic, d)
	}
	_, err := CreateTopic{ID: topicID(1), Name: "u", Assignments: assign(1, 1)}.Apply(s)
	if !errors.Is(err, ErrInvalid) {
		t.Fatalf("the id of a deleted topic was taken again: %v", err)
	}
	s = commit(t, s, ForgetTopic{ID: topicID(1)})
	if len(s.DeletedTopics()) != 0 {
		t.Fatal(s.DeletedTopics())
	}
}

func TestNoRestartResumesAnEpoch(t *testing.T) {
	s := commit(t, NewState("c"), agent(1, "a"), agent(2, "b"),
		CreateTopic{ID: topicID(1), Name: "t", Assignments: [][]int32{{1}, {2}, {1, 2}}})
	first, _ := s.Agent(1)
	s = commit(t, s, agent(1, "a"), StartLeading{Agent: 1})
	second, _ := s.Agent(1)
	topic, _ := s.Topic("t")
	for i, want := range []struct {
		leader int32
		epoch  kafka.LeaderEpoch
	}{{1, 1}, {2, 0}, {1, 1}} {
		if p := topic.Partitions[i]; p.Leader != want.leader || p.LeaderEpoch != want.epoch {
			t.Errorf("partition %d: %+v", i, p)
		}
	}
	if second.Incarnation <= first.Incarnation {
		t.Errorf("incarnation %d after %d", second.Incarnation, first.Incarnation)
	}
}

func TestAStartThatMayHaveLostDataLeavesTheISRFirst(t *testing.T) {
	s := commit(t, NewState("c"), agent(1, "a"), agent(2, "b"),
		CreateTopic{ID: topicID(1), Name: "t", Assignments: [][]int32{{1}, {1, 2}, {2, 1}}})
	s = commit(t, s, StartLeading{Agent: 1, PossibleLoss: true})
	topic, _ := s.Topic("t")
	want := []Partition{
		{
			Leader: 1, LastLeader: 1, LeaderEpoch: 1, PartitionEpoch: 1, ISR: []int32{1},
			Assigned: []int32{1}, Losses: 1,
		},
		{
			Leader: 2, LastLeader: 2, LeaderEpoch: 1, PartitionEpoch: 1, ISR: []int32{2},
			Assigned: []int32{1, 2},
		},
		{Leader: 2, LastLeader: 2, PartitionEpoch: 1, ISR: []int32{2}, Assigned: []int32{2, 1}},
	}
	for i, p := range topic.Partitions {
		if !p.equal(want[i]) {
			t.Errorf("partition %d: %+v, want %+v", i, p, want[i])
		}
	}
}

func TestClaimsOfAnAgentID(t *testing.T) {
	s := commit(t, NewState("c"), agent(1, "a"))
	holder, _ := s.Agent(1)
	clean := commit(t, s, MarkCleanStop{Agent: 1, Incarnation: holder.Incarnation})
	other := Claim{ID: 1, DiskUUID: "b", SilenceMin: 10 * time.Second}
	forced := other
	forced.TakeOver = true
	seen := func(answered bool, silent time.Duration) Observation {
		return Observation{Incarnation: holder.Incarnation, Answered: answered, SilentFor: silent}
	}
	for name, c := range map[string]struct {
		state    *State
		claim    Claim
		seen     Observation
		want     Verdict
		replaces int64
	}{
		"nobody has it":             {s, Claim{ID: 2, DiskUUID: "b"}, Observation{}, Register, 0},
		"the same disk":             {s, Claim{ID: 1, DiskUUID: "a"}, Observation{}, Register, 0},
		"the disk has another id":   {s, Claim{ID: 2, DiskUUID: "a"}, Observation{}, Refuse, 0},
		"stopped cleanly":           {clean, other, Observation{}, Register, holder.Incarnation},
		"not probed yet":            {s, other, Observation{}, Probe, 0},
		"answers":                   {s, other, seen(true, 0), Refuse, 0},
		"answers, to be taken over": {s, forced, seen(true, time.Hour), Refuse, 0},
		"silent for a while":        {s, other, seen(false, 9*time.Second), Probe, 0},
		"silent for long": {
			s, other, seen(false, 10*time.Second), Register, holder.Incarnation,
		},
		"silent, to be taken over": {s, forced, seen(false, 1), Register, holder.Incarnation},
		"silent, but an older one": {
			s, other, Observation{Incarnation: holder.Incarnation - 1, SilentFor: time.Hour}, Probe, 0,
		},
	} {
		d := c.state.Claim(c.claim, c.seen)
		if d.Verdict != c.want || d.Replaces != c.replaces || d.Verdict == Refuse && d.Reason == "" {
			t.Errorf("%s: %+v", name, d)
		}
		if d.Verdict == Register {
			r := agent(c.claim.ID, c.claim.DiskUUID)
			r.Replaces = d.Replaces
			if _, err := r.Apply(c.state); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	// The holder registers anew after the decision: the claim is refused at the commit.
	back := commit(t, s, agent(1, "a"))
	late := agent(1, "b")
	late.Replaces = holder.Incarnation
	if _, err := late.Apply(back); !errors.Is(err, ErrClaimed) {
		t.Errorf("a holder that came back was replaced: %v", err)
	}
}

// content is all that a state says, in one comparable value.
func content(s *State) Delta {
	d, _ := Diff(NewState(s.ClusterID), s, 1)
	return d
}

// TestAStateIsTheFoldOfItsDeltas runs random changes and holds what a follower makes of the deltas,
// and what an opener makes of head, deltas and snapshot, against the committer's state (V9).
func TestAStateIsTheFoldOfItsDeltas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &foldModel{objects: map[string][]byte{}}
		m.state = commit(t, NewState("c"), agent(1, "a"), agent(2, "b"))
		d, _ := Diff(NewState("c"), m.state, 1)
		m.root = m.append(t, Root{ClusterID: "c"}, d)
		m.follower = m.state
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			m.step(t)
		}
		m.reopen(t)
	})
}

type foldModel struct {
	state, follower, snapState *State
	root                       Root
	objects                    map[string][]byte
	n                          int
}

func (m *foldModel) uid() string { m.n++; return fmt.Sprint("u", m.n) }

func (m *foldModel) append(t *rapid.T, r Root, d Delta) Root {
	r, o, err := r.Append(d, m.uid())
	if err != nil {
		t.Fatal(err)
	}
	if o != nil {
		m.objects[o.Key] = o.Bytes
	}
	return r
}

func (m *foldModel) step(t *rapid.T) {
	if rapid.IntRange(0, 7).Draw(t, "snapshot") == 0 {
		m.snapshot(t)
		return
	}
	id := topicID(rapid.IntRange(1, 12).Draw(t, "topic"))
	tp := kafka.TopicPartition{Topic: id, Partition: int32(rapid.IntRange(0, 30).Draw(t, "partition"))}
	p, _ := m.state.Partition(tp)
	p.LeaderEpoch++
	topic, _ := m.state.TopicByID(id)
	have := int32(0)
	if topic != nil {
		have = int32(len(topic.Partitions))
	}
	change := rapid.SampledFrom([]Change{
		CreateTopic{ID: id, Name: id.Hex()[:8], Assignments: assign(30, 1, 2), CreatedAt: 7},
		DeleteTopic{ID: id, At: 9},
		ForgetTopic{ID: id},
		CreatePartitions{ID: id, Have: have, Assignments: assign(3, 2)},
		AlterConfigs{Topic: id, Set: map[string]string{"a": fmt.Sprint(m.n)}},
		AlterConfigs{Topic: id, Delete: []string{"a"}},
		AlterConfigs{AllAgents: true, Set: map[string]string{"d": fmt.Sprint(m.n)}},
		AlterConfigs{Agent: 1, Set: map[string]string{"e": "f"}},
		AlterConfigs{Agent: 1, Delete: []string{"e"}},
		AlterConfigs{Group: "g", Set: map[string]string{"h": fmt.Sprint(m.n)}},
		AlterConfigs{Group: "i", Set: map[string]string{"j": "k"}},
		AlterConfigs{Group: "i", Delete: []string{"j"}},
		SetPartition{TP: tp, Partition: p},
		AllocateProducerIDs{Agent: 2},
		StartLeading{Agent: 1},
		StartLeading{Agent: 2, PossibleLoss: true},
		agent(2, "b"),
	}).Draw(t, "change")
	next, err := change.Apply(m.state)
	if err != nil {
		return
	}
	d, changed := Diff(m.state, next, m.state.Version+1)
	if !changed {
		return
	}
	m.root = m.append(t, m.root, d)
	before := content(next)
	if m.state, err = m.state.Advance(d); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, content(m.state)) {
		t.Fatalf("%+v: the delta does not give the state", change)
	}
	raw, err := EncodeDeltas([]Delta{d})
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeDeltas(raw)
	if err != nil {
		t.Fatal(err)
	}
	if m.follower, err = m.follower.Advance(back[0]); err != nil {
		t.Fatal(err)
	}
	m.same(t, m.follower)
}

func (m *foldModel) snapshot(t *rapid.T) {
	prev := m.root.Snapshot
	s, objects, err := PlanSnapshot(m.state, prev, m.snapState, m.uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		m.objects[o.Key] = o.Bytes
	}
	var ok bool
	if m.root, ok = m.root.WithSnapshot(s, prev, 3); !ok {
		t.Fatal("the snapshot was refused")
	}
	for _, r := range m.root.Retired {
		if m.root.Refers(r.Key) {
			t.Fatalf("%s is retired and needed", r.Key)
		}
		delete(m.objects, r.Key)
	}
	m.root.Retired = nil
	m.snapState = m.state
	m.reopen(t)
}

// reopen reads everything back from bytes.
func (m *foldModel) reopen(t *rapid.T) {
	raw, err := EncodeRoot(m.root)
	if err != nil {
		t.Fatal(err)
	}
	root, err := DecodeRoot(raw)
	if err != nil {
		t.Fatal(err)
	}
	var pages []Delta
	for _, p := range root.Snapshot.Pages {
		d, err := DecodePage(m.objects[p.Key()])
		if err != nil {
			t.Fatal(p.Key(), err)
		}
		pages = append(pages, d)
	}
	slices.Reverse(pages)
	s, err := FromSnapshot(root.ClusterID, root.Snapshot.Changed, pages)
	if err != nil {
		t.Fatal(err)
	}
	var deltas []Delta
	for _, d := range root.Deltas {
		ds, err := DecodeDeltas(m.objects[d.Key()])
		if err != nil {
			t.Fatal(d.Key(), err)
		}
		deltas = append(deltas, ds...)
	}
	for _, d := range append(deltas, root.Inline...) {
		if s, err = s.Advance(d); err != nil {
			t.Fatal(err)
		}
	}
	m.same(t, s)
}

func (m *foldModel) same(t *rapid.T, s *State) {
	a, _ := EncodePage(content(s))
	b, _ := EncodePage(content(m.state))
	if string(a) != string(b) || s.Changed != m.state.Changed {
		t.Fatalf("%+v differs from %+v", content(s), content(m.state))
	}
}

// TestAChangeOf600PartitionsAmong200000IsSmall: at most 128 KiB in two objects, head included.
func TestAChangeOf600PartitionsAmong200000IsSmall(t *testing.T) {
	s := commit(t, NewState("c"), agent(1, "a"), agent(2, "b"), agent(3, "c"))
	var changes []Change
	for i := range 2000 {
		changes = append(changes, CreateTopic{
			ID: topicID(i + 1), Name: fmt.Sprint("topic-", i), Assignments: assign(100, 1, 2, 3),
		})
	}
	for chunk := range slices.Chunk(changes, 500) {
		s = commit(t, s, chunk...)
	}
	n := 0
	uid := func() string { n++; return fmt.Sprint("u", n) }
	snap, _, err := PlanSnapshot(s, Snapshot{}, nil, uid)
	if err != nil {
		t.Fatal(err)
	}
	root := Root{ClusterID: "c", Snapshot: snap, Changed: s.Changed}
	for i := range DeltasMax - 1 {
		root.Deltas = append(root.Deltas, DeltaRef{
			Name: NewObjectName(s.Version, "000000000000000000000000"), From: int64(i), To: int64(i + 1),
		})
	}
	changes = changes[:0]
	for i := range 600 {
		tp := kafka.TopicPartition{Topic: topicID(3*i + 1), Partition: int32(i % 100)}
		p, _ := s.Partition(tp)
		p.Leader, p.LeaderEpoch, p.ISR = 2, 1, []int32{2, 3}
		changes = append(changes, SetPartition{TP: tp, Partition: p})
	}
	next, err := Apply(s, changes...)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := Diff(s, next, s.Version+1)
	root, object, err := root.Append(d, uid())
	if err != nil {
		t.Fatal(err)
	}
	head, err := EncodeRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	total := len(head)
	if object != nil {
		total += len(object.Bytes)
	}
	t.Logf("head %d bytes, with delta %d, %d snapshot pages", len(head), total, len(snap.Pages))
	if total > 128<<10 {
		t.Fatalf("%d bytes", total)
	}
}
