package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/varve-log/varve/agent/group/assignor"
)

// crowd is a group of members that subscribe to 10 topics of 100 partitions.
func crowd(b *testing.B, members int) (*driver, []ConsumerHeartbeatRequest) {
	cfg := DefaultConfig()
	cfg.Consumer.AssignmentInterval = 0
	d := newDriver(b, cfg)
	d.quiet = true
	var topics []Topic
	var names []string
	for i := range 10 {
		names = append(names, fmt.Sprint("topic", i))
		topics = append(topics, Topic{Name: names[i], ID: testID(names[i]), Partitions: 100})
	}
	d.topics.image = NewImage(1, topics...)
	var all []ConsumerHeartbeatRequest
	for i := range members {
		all = append(all, ConsumerHeartbeatRequest{
			Version: 1, Group: "g", MemberID: fmt.Sprintf("member-%05d", i), Topics: names,
			RebalanceTimeout: time.Minute, Owned: assignor.Assignment{},
		})
	}
	return d, all
}

// join takes all members in and lets them come to rest.
func join(b *testing.B, d *driver, all []ConsumerHeartbeatRequest) {
	for round := 0; ; round++ {
		for i := range all {
			q := &all[i]
			e := d.m.ConsumerHeartbeat(d.now, 1, *q)
			if e.Replies[0].Err != nil {
				b.Fatal(e.Replies[0].Err)
			}
			a := e.Replies[0].Value.(ConsumerHeartbeatResponse)
			q.MemberEpoch = a.MemberEpoch
			if a.Assignment != nil {
				q.Owned = a.Assignment
			}
		}
		if d.m.groups["g"].group.state() == "Stable" {
			return
		}
		if round > 10 {
			b.Fatal(d.m.groups["g"].group.state())
		}
	}
}

// BenchmarkConsumerJoin is what 100 members cost that come one after the other, until each of 1,000
// partitions is with one of them.
func BenchmarkConsumerJoin(b *testing.B) {
	for b.Loop() {
		d, all := crowd(b, 100)
		join(b, d, all)
	}
}

// BenchmarkConsumerHeartbeat is a heartbeat that changes nothing, in a group of 1,000.
func BenchmarkConsumerHeartbeat(b *testing.B) {
	d, all := crowd(b, 1000)
	join(b, d, all)
	for i := range all {
		all[i].Topics, all[i].Owned, all[i].RebalanceTimeout = nil, nil, -1
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if e := d.m.ConsumerHeartbeat(d.now, 1, all[i%len(all)]); len(e.Records) != 0 {
			b.Fatal(e.Records)
		}
		i++
	}
}
