package assignor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/varve-log/varve/kafka"
	"pgregory.net/rapid"
)

func topic(n int) kafka.TopicID { return kafka.TopicID{0: byte(n), 15: 1} }

// members reads "a:1,2 b@x:2": member a subscribes to topics 1 and 2, static member b, named x, to 2.
func members(s string) []Member {
	var all []Member
	for _, word := range strings.Fields(s) {
		who, topics, _ := strings.Cut(word, ":")
		m := Member{}
		m.ID, m.InstanceID, _ = strings.Cut(who, "@")
		for n := range strings.SplitSeq(topics, ",") {
			var id int
			if _, err := fmt.Sscan(n, &id); err == nil {
				m.Topics = append(m.Topics, topic(id))
			}
		}
		all = append(all, m)
	}
	return all
}

// show prints a target as "a: 1[0 1] 2[0]; b: ...".
func show(all map[string]Assignment) string {
	var parts []string
	for id, a := range all {
		line := id + ":"
		for _, t := range a.Topics() {
			line += fmt.Sprintf(" %d%v", t[0], a[t])
		}
		parts = append(parts, line)
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// again is s with all as what the members were to have.
func again(s Spec, all map[string]Assignment) Spec {
	s.Members = slices.Clone(s.Members)
	for i := range s.Members {
		s.Members[i].Target = all[s.Members[i].ID]
	}
	return s
}

func TestTargets(t *testing.T) {
	counts := map[kafka.TopicID]int32{topic(1): 3, topic(2): 2, topic(3): 5}
	for _, x := range []struct{ name, members, uniform, ranged string }{
		{"nobody", "", "", ""},
		{"alone", "a:1,2", "a: 1[0 1 2] 2[0 1]", "a: 1[0 1 2] 2[0 1]"},
		{"without topics", "a: b:", "a:; b:", "a:; b:"},
		{"unknown topic", "a:9 b:9", "a:; b:", "a:; b:"},
		{"two alike", "a:1,2 b:1,2", "a: 1[0 1]; b: 1[2] 2[0 1]", "a: 1[0 1] 2[0]; b: 1[2] 2[1]"},
		{"more members than partitions", "a:2 b:2 c:2", "a:; b: 2[0]; c: 2[1]", "a: 2[0]; b: 2[1]; c:"},
		{"static first", "a:2 b@z:2 c@y:2", "a:; b: 2[0]; c: 2[1]", "a:; b: 2[1]; c: 2[0]"},
		{
			"different topics", "a:1 b:1,2 c:3",
			"a: 1[0 1 2]; b: 2[0 1]; c: 3[0 1 2 3 4]", "a: 1[0 1]; b: 1[2] 2[0 1]; c: 3[0 1 2 3 4]",
		},
		{"some unknown", "a:1,9 b:1", "a: 1[0 2]; b: 1[1]", "a: 1[0 1]; b: 1[2]"},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := Spec{Members: members(x.members), Partitions: counts}
			if got := show(Uniform(s)); got != x.uniform {
				t.Errorf("uniform: %s\n   want: %s", got, x.uniform)
			}
			if got := show(Range(s)); got != x.ranged {
				t.Errorf("range: %s\n want: %s", got, x.ranged)
			}
		})
	}
	if Named("uniform") == nil || Named("range") == nil || Named("sticky") != nil || len(Names()) != 2 {
		t.Error("the assignors are uniform and range")
	}
}

// specs draws groups; alike ones have one subscription.
func specs(t *rapid.T, alike bool) Spec {
	s := Spec{Partitions: map[kafka.TopicID]int32{}}
	topics := rapid.IntRange(0, 6).Draw(t, "topics")
	for n := range topics {
		s.Partitions[topic(n)] = rapid.Int32Range(1, 12).Draw(t, "partitions")
	}
	subscription := rapid.SliceOfNDistinct(rapid.IntRange(0, 7), 0, 6, rapid.ID)
	shared := subscription.Draw(t, "shared")
	for i := range rapid.IntRange(1, 8).Draw(t, "members") {
		m := Member{ID: fmt.Sprint("m", i)}
		if rapid.IntRange(0, 3).Draw(t, "static") == 0 {
			m.InstanceID = fmt.Sprint("i", i)
		}
		mine := shared
		if !alike {
			mine = subscription.Draw(t, "mine")
		}
		for _, n := range mine {
			m.Topics = append(m.Topics, topic(n))
		}
		slices.SortFunc(m.Topics, compareIDs)
		s.Members = append(s.Members, m)
	}
	return s
}

// complete fails unless every partition that somebody wants is with one who wants it.
func complete(t *rapid.T, s Spec, all map[string]Assignment) {
	wanted := 0
	seen := map[string]string{}
	for id, count := range s.Partitions {
		if slices.ContainsFunc(s.Members, func(m Member) bool { return slices.Contains(m.Topics, id) }) {
			wanted += int(count)
		}
	}
	for _, m := range s.Members {
		a, there := all[m.ID]
		if !there {
			t.Fatalf("no entry for %s", m.ID)
		}
		for id, partitions := range a {
			if !slices.Contains(m.Topics, id) {
				t.Fatalf("%s was given topic %d", m.ID, id[0])
			}
			if !slices.IsSorted(partitions) || len(partitions) == 0 {
				t.Fatalf("%s: topic %d: %v", m.ID, id[0], partitions)
			}
			for _, i := range partitions {
				x := fmt.Sprint(id[0], "-", i)
				if i < 0 || i >= s.Partitions[id] || seen[x] != "" {
					t.Fatalf("%s: %s belongs to %q or is none", m.ID, x, seen[x])
				}
				seen[x] = m.ID
			}
		}
	}
	if len(seen) != wanted {
		t.Fatalf("%d of %d partitions are given: %s", len(seen), wanted, show(all))
	}
}

func size(a Assignment) (n int) {
	for _, partitions := range a {
		n += len(partitions)
	}
	return n
}

// moved counts the partitions that are with another member than before.
func moved(before, after map[string]Assignment) (n int) {
	for id, a := range after {
		for topic, partitions := range a {
			for _, i := range partitions {
				if !slices.Contains(before[id][topic], i) {
					n++
				}
			}
		}
	}
	return n
}

func TestRangeIsComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := specs(t, rapid.Bool().Draw(t, "alike"))
		complete(t, s, Range(s))
	})
}

func TestUniformIsBalancedAndSticky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := specs(t, rapid.Bool().Draw(t, "alike"))
		all := Uniform(s)
		complete(t, s, all)
		even(t, s, all)
		if n := moved(all, Uniform(again(s, all))); n != 0 {
			t.Fatalf("%d moved although nothing changed", n)
		}
		next := again(s, all)
		switch rapid.IntRange(0, 2).Draw(t, "change") {
		case 0: // one leaves
			i := rapid.IntRange(0, len(next.Members)-1).Draw(t, "who")
			next.Members = slices.Delete(next.Members, i, i+1)
		case 1: // one joins
			m := next.Members[0]
			m.ID, m.Target = "new", nil
			next.Members = append(next.Members, m)
		case 2: // a topic grows
			for id := range next.Partitions {
				next.Partitions[id] += 3
				break
			}
		}
		after := Uniform(next)
		complete(t, next, after)
		even(t, next, after)
	})
}

// even fails where moving one partition between two members would make them more alike.
func even(t *rapid.T, s Spec, all map[string]Assignment) {
	for _, m := range s.Members {
		for id := range all[m.ID] {
			for _, other := range s.Members {
				if slices.Contains(other.Topics, id) && size(all[m.ID])-size(all[other.ID]) > 1 {
					t.Fatalf("%s could give of topic %d to %s: %s", m.ID, id[0], other.ID, show(all))
				}
			}
		}
	}
}

func TestUniformMovesTheLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := specs(t, true)
		before := Uniform(s)
		s = again(s, before)
		gone := s.Members[0]
		s.Members = s.Members[1:]
		if n := moved(before, Uniform(s)); len(s.Members) > 0 && n != size(before[gone.ID]) {
			t.Fatalf("%d moved after %d lost their member", n, size(before[gone.ID]))
		}
		gone.ID, gone.Target = "zz", nil
		s.Members = append(s.Members, gone)
		before = Uniform(Spec{Members: s.Members[:len(s.Members)-1], Partitions: s.Partitions})
		s = again(s, before)
		after := Uniform(s)
		if n := moved(before, after); len(s.Members) > 1 && n != size(after["zz"]) {
			t.Fatalf("%d moved to give the new one %d", n, size(after["zz"]))
		}
	})
}

func BenchmarkUniform(b *testing.B) {
	s := Spec{Partitions: map[kafka.TopicID]int32{}}
	var all []kafka.TopicID
	for n := range 100 {
		s.Partitions[topic(n)] = 100
		all = append(all, topic(n))
	}
	for i := range 1000 {
		s.Members = append(s.Members, Member{ID: fmt.Sprintf("m%04d", i), Topics: all})
	}
	for b.Loop() {
		s = again(s, Uniform(s))
	}
}
