package assignor

import (
	"cmp"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// nobody owns a partition that is still to be given.
const nobody = -1

// partition of a topic, by the topic's index in the plan.
type partition struct {
	topic int
	index int32
}

// plan is a target in the making. Topics and members go by index; both ascend.
type plan struct {
	members []Member
	topics  []kafka.TopicID
	// subscribers of each topic, ascending.
	subscribers [][]int
	// owners of each topic's partitions, or nobody.
	owners [][]int
	// sizes are how many partitions each member owns.
	sizes []int
}

// newPlan begins with what the members had and may keep: topics that they still subscribe to.
func newPlan(s Spec) *plan {
	p := &plan{members: s.Members, sizes: make([]int, len(s.Members))}
	p.topics = subscribed(s)
	index := make(map[kafka.TopicID]int, len(p.topics))
	for i, id := range p.topics {
		index[id] = i
		owners := make([]int, s.Partitions[id])
		for j := range owners {
			owners[j] = nobody
		}
		p.owners = append(p.owners, owners)
	}
	p.subscribers = make([][]int, len(p.topics))
	for m, member := range p.members {
		for _, id := range member.Topics {
			if t, exists := index[id]; exists {
				p.subscribers[t] = append(p.subscribers[t], m)
				p.keep(m, t, member.Target[id])
			}
		}
	}
	return p
}

// subscribed lists the topics with partitions that somebody subscribes to, ascending.
func subscribed(s Spec) []kafka.TopicID {
	seen := map[kafka.TopicID]bool{}
	var ids []kafka.TopicID
	for i, m := range s.Members {
		if i > 0 && slices.Equal(m.Topics, s.Members[i-1].Topics) {
			continue // as in most groups
		}
		for _, id := range m.Topics {
			if !seen[id] && s.Partitions[id] > 0 {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

// keep leaves partitions of a topic with the member that had them.
func (p *plan) keep(member, topic int, had []int32) {
	for _, i := range had {
		if int(i) < len(p.owners[topic]) && p.owners[topic][i] == nobody {
			p.give(partition{topic, i}, member)
		}
	}
}

// give makes member the owner of a partition, instead of whoever was.
func (p *plan) give(x partition, member int) {
	if was := p.owners[x.topic][x.index]; was != nobody {
		p.sizes[was]--
	}
	p.owners[x.topic][x.index] = member
	p.sizes[member]++
}

// take leaves a partition without an owner.
func (p *plan) take(x partition) {
	p.sizes[p.owners[x.topic][x.index]]--
	p.owners[x.topic][x.index] = nobody
}

// of lists the partitions of a topic with that owner, ascending.
func (p *plan) of(topic, owner int) []partition {
	var list []partition
	for i, o := range p.owners[topic] {
		if o == owner {
			list = append(list, partition{topic, int32(i)})
		}
	}
	return list
}

// share evens out members that subscribe to the same topics: each has a quota, a few of them one more.
// Who has more than that gives the last of it to those who have less.
func (p *plan) share() {
	if len(p.members) == 0 || len(p.topics) == 0 {
		return
	}
	var free []partition
	total := 0
	held := make([][]partition, len(p.members))
	for t := range p.owners {
		total += len(p.owners[t])
		for i, owner := range p.owners[t] {
			x := partition{t, int32(i)}
			if owner == nobody {
				free = append(free, x)
			} else {
				held[owner] = append(held[owner], x)
			}
		}
	}
	quota, extras := total/len(p.members), total%len(p.members)
	room := make([]int, len(p.members))
	for m := range p.members {
		limit, extra := quota, extras > 0
		if extra {
			limit++
		}
		for _, x := range held[m][min(limit, len(held[m])):] {
			p.take(x)
			free = append(free, x)
		}
		room[m] = limit - p.sizes[m]
		// Who does not hold an extra one leaves it to the others, while there are enough of them.
		if room[m] > 0 && extra && len(p.members)-m > extras {
			room[m]--
			extra = false
		}
		if extra {
			extras--
		}
	}
	for m := range p.members {
		n := min(room[m], len(free))
		for _, x := range free[:n] {
			p.give(x, m)
		}
		free = free[n:]
	}
}

// fill gives what nobody owns to the subscribers with the least.
func (p *plan) fill() {
	for _, t := range p.byDemand() {
		b := newBalance(p.sizes, p.subscribers[t])
		for _, x := range p.of(t, nobody) {
			p.give(x, b.nextLow())
		}
	}
}

// byDemand orders topics: most partitions for each subscriber first, then fewest subscribers.
func (p *plan) byDemand() []int {
	order := make([]int, len(p.topics))
	for t := range order {
		order[t] = t
	}
	slices.SortStableFunc(order, func(a, b int) int {
		perA := float64(len(p.owners[a])) / float64(len(p.subscribers[a]))
		perB := float64(len(p.owners[b])) / float64(len(p.subscribers[b]))
		return cmp.Or(cmp.Compare(perB, perA), cmp.Compare(len(p.subscribers[a]), len(p.subscribers[b])))
	})
	return order
}

// assignments is the plan as it stands, with an entry for every member.
func (p *plan) assignments() map[string]Assignment {
	all := make(map[string]Assignment, len(p.members))
	for _, m := range p.members {
		all[m.ID] = Assignment{}
	}
	for t, owners := range p.owners {
		for i, owner := range owners {
			if owner != nobody {
				a := all[p.members[owner].ID]
				a[p.topics[t]] = append(a[p.topics[t]], int32(i))
			}
		}
	}
	return all
}
