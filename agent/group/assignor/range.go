package assignor

import (
	"cmp"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// Range gives each subscriber of a topic a run of neighbouring partitions, in the same order of members
// for every topic: topics with equal subscribers and partition counts are co-partitioned. Static members
// come first, by their names, so that a restart keeps their place.
func Range(s Spec) map[string]Assignment {
	order := slices.Clone(s.Members)
	slices.SortStableFunc(order, func(a, b Member) int {
		if (a.InstanceID == "") != (b.InstanceID == "") {
			return cmp.Compare(len(b.InstanceID), len(a.InstanceID))
		}
		return cmp.Or(cmp.Compare(a.InstanceID, b.InstanceID), cmp.Compare(a.ID, b.ID))
	})
	left := map[kafka.TopicID]*shares{}
	for _, m := range order {
		for _, id := range m.Topics {
			if count, exists := s.Partitions[id]; exists {
				if left[id] == nil {
					left[id] = &shares{count: count}
				}
				left[id].members++
			}
		}
	}
	all := make(map[string]Assignment, len(order))
	for _, m := range order {
		a := Assignment{}
		for _, id := range m.Topics {
			if run := left[id].next(); len(run) > 0 {
				a[id] = run
			}
		}
		all[m.ID] = a
	}
	return all
}

// shares deals the partitions of a topic.
type shares struct{ count, members, dealt, served int32 }

// next is the run of the next member: the first count%members of them get one more than the others.
func (s *shares) next() []int32 {
	if s == nil { // no such topic
		return nil
	}
	size := s.count / s.members
	if s.served < s.count%s.members {
		size++
	}
	run := make([]int32, 0, size)
	for range size {
		run = append(run, s.dealt)
		s.dealt++
	}
	s.served++
	return run
}
