package group

import (
	"slices"
	"strings"

	"github.com/varve-log/varve/agent/group/assignor"
	"github.com/varve-log/varve/kafka"
)

// retarget computes the target of the group's epoch, unless there is one or the last is too fresh.
func (g *consumerGroup) retarget(t *turn) {
	if g.targetEpoch >= g.epoch || len(g.members) == 0 {
		return
	}
	interval := g.m.cfg.Consumer.of(g.id).AssignmentInterval
	if g.targetAt != 0 && interval > 0 && t.now.Before(g.targetAt.Time().Add(interval)) {
		return
	}
	target := assignor.Named(g.assignor())(g.spec())
	for _, id := range sortedKeys(g.members) {
		before, had := g.target[id]
		if !had || !before.Equal(target[id]) {
			g.m.write(t, targetRecord(g.id, id, target[id]))
		}
	}
	g.m.write(t, targetEpochRecord(g.id, g.epoch, kafka.TimestampOf(t.now)))
}

// assignor is what most members like, of equals the first by name; the default if none likes any.
func (g *consumerGroup) assignor() string {
	best := ""
	for _, name := range sortedKeys(g.assignors) {
		if assignor.Named(name) != nil && (best == "" || g.assignors[name] > g.assignors[best]) {
			best = name
		}
	}
	if best == "" {
		return g.m.cfg.Consumer.Assignors[0]
	}
	return best
}

// spec is what the assignor has to know.
func (g *consumerGroup) spec() assignor.Spec {
	image := g.m.topics.Image()
	s := assignor.Spec{Partitions: make(map[kafka.TopicID]int32, len(g.subscribed))}
	for name := range g.subscribed {
		if topic, ok := image.ByName(name); ok {
			s.Partitions[topic.ID] = topic.Partitions
		}
	}
	same := map[string][]kafka.TopicID{} // members mostly subscribe alike
	for _, id := range sortedKeys(g.members) {
		c := g.members[id]
		key := c.regex + "\x00" + strings.Join(c.topics, "\x00")
		topics, known := same[key]
		if !known {
			topics = idsOf(image, c.topics, g.regexes[c.regex].topics)
			same[key] = topics
		}
		s.Members = append(s.Members, assignor.Member{
			ID: c.id, InstanceID: c.instance, Topics: topics, Target: g.target[id],
		})
	}
	return s
}

// idsOf lists the ids of the topics of some names that exist, ascending.
func idsOf(image Image, lists ...[]string) []kafka.TopicID {
	var ids []kafka.TopicID
	for _, names := range lists {
		for _, name := range names {
			if topic, ok := image.ByName(name); ok {
				ids = append(ids, topic.ID)
			}
		}
	}
	slices.SortFunc(ids, func(a, b kafka.TopicID) int {
		return strings.Compare(string(a[:]), string(b[:]))
	})
	return slices.Compact(ids)
}
