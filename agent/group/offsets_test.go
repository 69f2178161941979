package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// commitMany commits one offset to each of n partitions of a topic.
func commitMany(d *driver, group, topic string, n int) {
	d.t.Helper()
	for at := 0; at < n; at += 1000 {
		q := CommitRequest{Group: group, Generation: -1, Retention: -1, Topics: []TopicCommit{{Topic: topic}}}
		for p := at; p < min(n, at+1000); p++ {
			q.Topics[0].Partitions = append(q.Topics[0].Partitions, PartitionCommit{Partition: int32(p)})
		}
		d.ask("commit", func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Commit(now, to, q)
		})
	}
}

// More offsets than one step cleans up made a Tick go on for ever.
func TestManyOffsetsAreCleanedInSteps(t *testing.T) {
	for name, clean := range map[string]func(d *driver){
		"expired": func(d *driver) { d.advance(d.cfg.OffsetsRetention + d.cfg.OffsetsRetentionCheck) },
		"topic deleted": func(d *driver) {
			d.take(d.m.TopicsDeleted(d.now, []DeletedTopic{{Name: "t"}}))
			d.advance(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, DefaultConfig())
			d.quiet = true
			commitMany(d, "g", "t", 3500)
			commitMany(d, "h", "t", 1200)
			d.onLog, d.log = nil, nil
			clean(d)
			tombstones := 0
			for _, e := range d.log {
				if e.Key[1] == byte(keyOffset) && e.Value == nil {
					tombstones++
				}
			}
			if tombstones != 4700 {
				t.Errorf("%d tombstones of 4700 offsets", tombstones)
			}
			if e := d.m.groups["g"]; e != nil && !e.offsets.none() {
				t.Errorf("left: %v", e.places())
			}
		})
	}
}

// A group may be too large to be deleted by one request.
func TestDeleteIsBounded(t *testing.T) {
	d := newDriver(t, DefaultConfig())
	d.quiet = true
	commitMany(d, "g", "t", deleteBytesMax/offsetOverhead)
	var got coordinator.Reply
	d.onReply = func(r coordinator.Reply) { got = r }
	d.ask("delete", func(now time.Time, to coordinator.Token) coordinator.Effects {
		return d.m.Delete(now, to, []string{"g"})
	})
	if errs := got.Value.(DeleteResponse).Errs; errs[0] != ErrRecordTooLarge {
		t.Errorf("deleted: %v", errs)
	}
}

// FuzzReplay gives a machine records of any bytes, twice and with others in between, and lets it run.
func FuzzReplay(f *testing.F) {
	d := newDriver(f, DefaultConfig())
	d.quiet = true
	commitMany(d, "g", "t", 1)
	id := "c-1"
	for _, q := range []JoinRequest{{}, {MemberID: id}} {
		q.Group, q.Client.ID, q.SessionTimeout, q.ProtocolType = "h", "c", 10*time.Second, "consumer"
		q.RequireMemberID, q.Protocols = true, []Protocol{{"range", subscription("t", "u")}}
		d.ask("join", func(now time.Time, to coordinator.Token) coordinator.Effects {
			return d.m.Join(now, to, q)
		})
	}
	d.advance(3 * time.Second)
	d.ask("sync", func(now time.Time, to coordinator.Token) coordinator.Effects {
		return d.m.Sync(now, to, SyncRequest{Group: "h", Generation: 1, MemberID: id})
	})
	for _, e := range d.log {
		f.Add(e.Key, e.Value, true)
		f.Add(e.Key, []byte(nil), false)
	}
	f.Add([]byte{0, 2, 0, 1, 'g'}, []byte{0, 3, 0, 0}, false)
	f.Add([]byte{0, 3, 0, 1, 'g'}, []byte{0, 0, 0, 0, 0, 1, 0}, false)
	known := d.log
	f.Fuzz(func(t *testing.T, key, value []byte, transactional bool) {
		d := newDriver(t, DefaultConfig())
		d.quiet = true
		if len(value) == 0 {
			value = nil
		}
		m := d.machine()
		r := coordinator.Stored{Record: coordinator.Record{Key: key, Value: value}}
		if transactional {
			r.Transactional, r.Producer = true, coordinator.Producer{ID: 1}
		}
		_ = m.Replay(r)
		for _, e := range known {
			d.replay(m, e)
		}
		_ = m.Replay(r)
		m.ReplayEnd(coordinator.Producer{ID: 1}, true)
		d.m = m
		d.take(m.Loaded(d.now))
		for _, l := range m.List(ListRequest{}) {
			d.ask("fetch", func(now time.Time, to coordinator.Token) coordinator.Effects {
				return m.Fetch(now, to, FetchRequest{Group: l.Group, All: true, MemberEpoch: -1})
			})
			d.ask("describe", func(now time.Time, to coordinator.Token) coordinator.Effects {
				return m.Describe(now, to, l.Group)
			})
		}
		d.advance(time.Hour)
	})
}

// BenchmarkCommit is one commit a second by each of 10,000 groups, one of them a step.
func BenchmarkCommit(b *testing.B) {
	const groups = 10_000
	m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
	now := time.Now()
	m.Loaded(now)
	q := make([]CommitRequest, groups)
	for i := range q {
		q[i] = CommitRequest{
			Group: fmt.Sprintf("group-%d", i), Generation: -1, Retention: -1,
			Topics: []TopicCommit{{Topic: "topic", Partitions: []PartitionCommit{{Partition: 1, Offset: 5}}}},
		}
		m.Commit(now, 1, q[i])
	}
	b.ReportAllocs()
	for i := range b.N {
		m.Commit(now, coordinator.Token(i), q[i%groups])
	}
}

// BenchmarkLoad takes in a million committed offsets, of 1,000 groups with 1,000 partitions each.
func BenchmarkLoad(b *testing.B) {
	records := make([]coordinator.Stored, 0, 1_000_000)
	for g := range 1000 {
		for p := range 1000 {
			c := committed{offset: 5, at: 1, expires: kafka.NoTimestamp, topic: testID("t")}
			records = append(records, coordinator.Stored{
				Record: offsetRecord(fmt.Sprintf("group-%d", g), fmt.Sprintf("topic-%d", p/100), int32(p%100), &c),
			})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, nil)
		for i := range records {
			if err := m.Replay(records[i]); err != nil {
				b.Fatal(err)
			}
		}
		m.Loaded(time.Now())
	}
}

// BenchmarkJoin is a first rebalance of 100 members, from joins without an id to the assignment.
func BenchmarkJoin(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		m := New(DefaultConfig(), &fixedTopics{NewImage(0)}, func() string { n++; return fmt.Sprint(n) })
		now := time.Now()
		m.Loaded(now)
		join := func(id string) coordinator.Effects {
			return m.Join(now, 1, JoinRequest{
				Group: "g", MemberID: id, Client: Client{ID: "c"}, SessionTimeout: 10 * time.Second,
				RebalanceTimeout: time.Minute, ProtocolType: "consumer", RequireMemberID: true,
				Protocols: []Protocol{{"range", subscription("t")}},
			})
		}
		for i := range 100 {
			join("")
			join(fmt.Sprintf("c-%d", i+1))
		}
		e := m.Tick(now.Add(3 * time.Second))
		e.And(m.Tick(now.Add(6 * time.Second)))
		assigned := make(map[string][]byte)
		for i := range 100 {
			assigned[fmt.Sprintf("c-%d", i+1)] = make([]byte, 100)
		}
		for i := range 100 {
			e.And(m.Sync(now, 1, SyncRequest{
				Group: "g", Generation: 1, MemberID: fmt.Sprintf("c-%d", i+1), Assignments: assigned,
			}))
		}
		if len(e.Replies) != 200 {
			b.Fatalf("%d answers", len(e.Replies))
		}
	}
}
