package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"slices"
	"testing"

	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/kafka"
)

func topic(n int) kafka.TopicID { return kafka.TopicID{0: byte(n), 15: 1} }

// parts are partitions of topic 1, and epoched the same with an epoch.
func parts(list ...int32) assignor.Assignment {
	if len(list) == 0 {
		return assignor.Assignment{}
	}
	return assignor.Assignment{topic(1): list}
}

func epoched(epoch int32, list ...int32) Epochs {
	e := Epochs{}
	for _, p := range list {
		e.add(topic(1), p, epoch)
	}
	return e
}

func TestNext(t *testing.T) {
	subscribed := func(kafka.TopicID) bool { return true }
	unsubscribed := func(kafka.TopicID) bool { return false }
	free := func(kafka.TopicID, int32) bool { return false }
	held := func(_ kafka.TopicID, p int32) bool { return p >= 3 }
	stable := Member{Epoch: 5, PreviousEpoch: 4, Assigned: epoched(3, 1, 2), Revoking: Epochs{}}
	revoking := Member{Unrevoked, 5, 4, epoched(3, 1), epoched(3, 2)}
	for _, x := range []struct {
		name string
		from Member
		to   Target
		want Member
	}{
		{"reached", stable, Target{Epoch: 5, Assignment: parts(9)}, stable},
		{
			"same partitions in a new epoch", stable,
			Target{Epoch: 6, Assignment: parts(1, 2)},
			Member{Stable, 6, 5, epoched(3, 1, 2), Epochs{}},
		},
		{
			"more, free", stable,
			Target{Epoch: 6, Assignment: parts(1, 2, 3)},
			Member{Stable, 6, 5, Epochs{topic(1): {1: 3, 2: 3, 3: 6}}, Epochs{}},
		},
		{
			"more, some held", stable,
			Target{Epoch: 6, Assignment: parts(0, 1, 2, 3), Held: held},
			Member{Unreleased, 6, 5, Epochs{topic(1): {0: 6, 1: 3, 2: 3}}, Epochs{}},
		},
		{
			"still held",
			Member{Unreleased, 6, 5, epoched(6, 1), Epochs{}},
			Target{Epoch: 6, Assignment: parts(1, 3), Held: held},
			Member{Unreleased, 6, 6, epoched(6, 1), Epochs{}},
		},
		{
			"released",
			Member{Unreleased, 6, 5, epoched(6, 1), Epochs{}},
			Target{Epoch: 6, Assignment: parts(1, 3)},
			Member{Stable, 6, 6, epoched(6, 1, 3), Epochs{}},
		},
		{
			"less", stable,
			Target{Epoch: 6, Assignment: parts(1)},
			Member{Unrevoked, 5, 5, epoched(3, 1), epoched(3, 2)},
		},
		{
			"less, but the client never had it", stable,
			Target{Epoch: 6, Assignment: parts(1), Owned: parts(1)},
			Member{Stable, 6, 5, epoched(3, 1), Epochs{}},
		},
		{"says nothing while it revokes", revoking, Target{Epoch: 6, Assignment: parts(1)}, revoking},
		{
			"has not revoked yet", revoking,
			Target{Epoch: 6, Assignment: parts(1), Owned: parts(1, 2)},
			revoking,
		},
		{
			"has revoked", revoking,
			Target{Epoch: 6, Assignment: parts(1), Owned: parts(1)},
			Member{Stable, 6, 5, epoched(3, 1), Epochs{}},
		},
		{
			"gets back what it revoked", revoking,
			Target{Epoch: 7, Assignment: parts(1, 2), Owned: parts(1), Held: func(_ kafka.TopicID, p int32) bool {
				return p == 2
			}},
			Member{Stable, 7, 5, Epochs{topic(1): {1: 3, 2: 7}}, Epochs{}},
		},
		{
			"has revoked, has to revoke more", revoking,
			Target{Epoch: 7, Assignment: parts(), Owned: parts(1)},
			Member{Unrevoked, 5, 5, Epochs{}, epoched(3, 1)},
		},
		{
			"subscribes to nothing, target not computed yet", stable,
			Target{Epoch: 5, Assignment: parts(1, 2), Subscribed: unsubscribed, Resubscribed: true},
			Member{Unrevoked, 5, 5, Epochs{}, epoched(3, 1, 2)},
		},
		{
			"subscribes to nothing and owns nothing", stable,
			Target{Epoch: 5, Assignment: parts(1, 2), Subscribed: unsubscribed, Resubscribed: true, Owned: parts()},
			Member{Stable, 5, 5, Epochs{}, Epochs{}},
		},
		{
			"subscribes to nothing while it revokes", revoking,
			Target{Epoch: 6, Assignment: parts(1), Subscribed: unsubscribed, Resubscribed: true},
			Member{Unrevoked, 5, 5, Epochs{}, epoched(3, 1, 2)},
		},
		{
			"resubscribes to the same", stable,
			Target{Epoch: 5, Assignment: parts(1, 2), Resubscribed: true},
			stable,
		},
		{
			"target of a topic it no longer wants",
			Member{Epoch: 5, Assigned: Epochs{}},
			Target{Epoch: 6, Assignment: parts(1), Subscribed: unsubscribed},
			Member{Stable, 6, 5, Epochs{}, Epochs{}},
		},
		{
			"unknown state, owns nothing",
			Member{Unknown, 5, 4, epoched(3, 1), Epochs{}},
			Target{Epoch: 6, Assignment: parts(2), Owned: parts()},
			Member{Stable, 6, 5, epoched(6, 2), Epochs{}},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.to.Subscribed == nil {
				x.to.Subscribed = subscribed
			}
			if x.to.Held == nil {
				x.to.Held = free
			}
			got, err := x.from.Next(x.to)
			if err != nil || !got.Equal(x.want) {
				t.Errorf("have %+v, %v\nwant %+v", got, err, x.want)
			}
		})
	}
	if _, err := (Member{State: Unknown}).Next(Target{}); !errors.Is(err, ErrUnknownState) {
		t.Errorf("unknown state: %v", err)
	}
}

// world is a group whose members' clients report what they own, late, twice or never.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	epoch   int32
	counts  map[kafka.TopicID]int32
	target  map[string]assignor.Assignment
	members map[string]*simulated
}

// simulated is a member here and its client out there.
type simulated struct {
	Member
	topics []kafka.TopicID
	// owned is what the client reads; told is what it was last told to read.
	owned, told map[partition]bool
}

type partition struct {
	topic kafka.TopicID
	index int32
}

func (w *world) held(topic kafka.TopicID, p int32) bool {
	for _, m := range w.members {
		if m.Assigned.Has(topic, p) || m.Revoking.Has(topic, p) {
			return true
		}
	}
	return false
}

// retarget computes the target of a new epoch.
func (w *world) retarget() {
	w.epoch++
	s := assignor.Spec{Partitions: w.counts}
	for _, id := range slices.Sorted(maps.Keys(w.members)) {
		s.Members = append(s.Members, assignor.Member{ID: id, Topics: w.members[id].topics, Target: w.target[id]})
	}
	if w.rng.Intn(2) == 0 {
		w.target = assignor.Range(s)
	} else {
		w.target = assignor.Uniform(s)
	}
}

// heartbeat of a member whose client says what it owns, or nothing; the answer may be lost.
func (w *world) heartbeat(id string, tells, arrives bool) {
	m := w.members[id]
	to := Target{
		Epoch: w.epoch, Assignment: w.target[id], Held: w.held,
		Subscribed: func(t kafka.TopicID) bool { return slices.Contains(m.topics, t) },
	}
	if tells {
		// A client must count what it was told and did not start yet: the coordinator frees what it does
		// not hear of.
		says := maps.Clone(m.owned)
		maps.Copy(says, m.told)
		to.Owned = assignor.Assignment{}
		for p := range says {
			to.Owned[p.topic] = append(to.Owned[p.topic], p.index)
		}
	}
	next, err := m.Next(to)
	if err != nil {
		w.t.Fatal(err)
	}
	if next.Epoch < m.Epoch {
		w.t.Fatalf("%s went from epoch %d to %d", id, m.Epoch, next.Epoch)
	}
	m.Member = next
	if arrives {
		m.told = map[partition]bool{}
		for topic, partitions := range next.Assigned {
			for p := range partitions {
				m.told[partition{topic, p}] = true
			}
		}
	}
	w.check()
}

// obey makes the client revoke, then read what it was told.
func (m *simulated) obey(all bool) {
	for p := range m.owned {
		if !m.told[p] {
			delete(m.owned, p)
		}
	}
	if all {
		m.owned = maps.Clone(m.told)
	}
}

// check fails where two hold or read one partition.
func (w *world) check() {
	holders, readers := map[partition]string{}, map[partition]string{}
	for id, m := range w.members {
		for _, set := range []Epochs{m.Assigned, m.Revoking} {
			for topic, partitions := range set {
				for i := range partitions {
					p := partition{topic, i}
					if holders[p] != "" {
						w.t.Fatalf("%s and %s hold %v", holders[p], id, p)
					}
					holders[p] = id
				}
			}
		}
		for p := range m.owned {
			if readers[p] != "" {
				w.t.Fatalf("%s and %s read %v", readers[p], id, p)
			}
			readers[p] = id
		}
	}
}

func TestNoPartitionIsEverReadByTwo(t *testing.T) {
	for seed := range int64(300) {
		w := &world{
			t: t, rng: rand.New(rand.NewSource(seed)), members: map[string]*simulated{},
			counts: map[kafka.TopicID]int32{topic(1): 5, topic(2): 7, topic(3): 1},
		}
		for n := range 400 {
			w.step(n)
		}
		w.settle()
	}
}

// step does something at random.
func (w *world) step(n int) {
	ids := slices.Sorted(maps.Keys(w.members))
	if len(ids) == 0 || w.rng.Intn(30) == 0 && len(ids) < 5 {
		m := &simulated{owned: map[partition]bool{}, told: map[partition]bool{}}
		for i := range 3 {
			if w.rng.Intn(3) > 0 {
				m.topics = append(m.topics, topic(i+1))
			}
		}
		w.members[fmt.Sprintf("m%03d", n)] = m
		w.retarget()
		return
	}
	id := ids[w.rng.Intn(len(ids))]
	m := w.members[id]
	switch w.rng.Intn(40) {
	case 0:
		delete(w.members, id)
		delete(w.target, id)
		w.retarget()
	case 1:
		w.counts[topic(1+w.rng.Intn(3))]++
		w.retarget()
	case 2, 3, 4, 5, 6, 7, 8:
		m.obey(w.rng.Intn(2) == 0)
	default:
		// A client that hears nothing asks again with what it owns: what it was told and lost shows.
		w.heartbeat(id, w.rng.Intn(3) == 0, w.rng.Intn(8) > 0)
	}
	w.check()
}

// settle lets all clients behave: the group reaches its target within a few heartbeats of each.
func (w *world) settle() {
	for range 4 {
		for _, id := range slices.Sorted(maps.Keys(w.members)) {
			w.members[id].obey(true)
			w.heartbeat(id, true, true)
			w.members[id].obey(true)
		}
	}
	for id, m := range w.members {
		have := assignor.Assignment{}
		for topic, partitions := range m.Assigned {
			have[topic] = slices.Sorted(maps.Keys(partitions))
		}
		if !m.Reached(w.epoch) || !have.Equal(w.target[id]) || len(m.owned) != len(m.told) {
			w.t.Fatalf("%s did not settle in epoch %d: %+v, target %v", id, w.epoch, m.Member, w.target[id])
		}
	}
}
