package assignor

import (
	"slices"
	"strings"

	"github.com/varve-log/varve/kafka"
)

// Assignment is the partitions of topics, each list ascending and without repeats. It is immutable; a
// topic without partitions is not in it.
type Assignment map[kafka.TopicID][]int32

// Equal reports whether a and b hold the same partitions.
func (a Assignment) Equal(b Assignment) bool {
	if len(a) != len(b) {
		return false
	}
	for topic, partitions := range a {
		if !slices.Equal(partitions, b[topic]) {
			return false
		}
	}
	return true
}

// Topics are the ids in it, ascending.
func (a Assignment) Topics() []kafka.TopicID {
	ids := make([]kafka.TopicID, 0, len(a))
	for id := range a {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareIDs)
	return ids
}

// Member is one who shares the partitions.
type Member struct {
	ID string
	// InstanceID is the name of a static member, else empty.
	InstanceID string
	// Topics it subscribes to, ascending and without repeats.
	Topics []kafka.TopicID
	// Target is what it was to have so far.
	Target Assignment
}

// Spec is what is shared among whom.
type Spec struct {
	// Members ascending by ID, each once.
	Members []Member
	// Partitions is the number of partitions of every topic that exists. A subscription to another is
	// ignored.
	Partitions map[kafka.TopicID]int32
}

// Assignor computes a target, with an entry for every member.
type Assignor func(Spec) map[string]Assignment

// Names of the assignors that there are; the first is the default.
func Names() []string { return []string{"uniform", "range"} }

// Named is the assignor of that name, or nil.
func Named(name string) Assignor {
	switch name {
	case "uniform":
		return Uniform
	case "range":
		return Range
	}
	return nil
}

// Uniform spreads all partitions of all topics evenly over the members and keeps what it can where it
// was.
func Uniform(s Spec) map[string]Assignment {
	p := newPlan(s)
	if s.alike() {
		p.share()
	} else {
		p.fill()
		p.balance()
	}
	return p.assignments()
}

// alike reports whether all members subscribe to the same topics.
func (s Spec) alike() bool {
	for _, m := range s.Members {
		if !slices.Equal(m.Topics, s.Members[0].Topics) {
			return false
		}
	}
	return true
}

func compareIDs(a, b kafka.TopicID) int { return strings.Compare(string(a[:]), string(b[:])) }
