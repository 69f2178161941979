package cluster

import (
	"maps"
	"slices"

	"github.com/varve-log/varve/kafka"
)

// PagePartitionsMax is how many partitions a snapshot page holds before another one begins; a topic
// is never split.
const PagePartitionsMax = 2048

// PlanSnapshot divides s into pages. Pages of prev, which hold the state prevState, are named again
// where no topic in their range changed; the others are returned to be written. prevState is nil
// when it is not known, then nothing is reused. uid gives unique names.
func PlanSnapshot(
	s *State, prev Snapshot, prevState *State, uid func() string,
) (Snapshot, []Object, error) {
	p := snapshotPlan{state: s, uid: uid, out: Snapshot{Changed: s.Changed}}
	if err := p.write(kafka.TopicID{}, s.withoutTopics()); err != nil {
		return Snapshot{}, nil, err
	}
	var pages []PageRef
	var old []kafka.TopicID
	if prevState != nil && len(prev.Pages) > 1 {
		pages, old = prev.Pages[1:], prevState.sortedIDs()
	}
	ids := s.sortedIDs()
	for i, page := range pages {
		var lead, in, was []kafka.TopicID
		lead, ids = cut(ids, page.First)
		_, old = cut(old, page.First)
		in, was = ids, old
		if i+1 < len(pages) {
			in, ids = cut(ids, pages[i+1].First)
			was, old = cut(old, pages[i+1].First)
		} else {
			ids = nil
		}
		if err := p.add(lead); err != nil {
			return Snapshot{}, nil, err
		}
		if err := p.keepOrAdd(page, in, was, prevState); err != nil {
			return Snapshot{}, nil, err
		}
	}
	if err := p.add(ids); err != nil {
		return Snapshot{}, nil, err
	}
	err := p.flush()
	return p.out, p.objects, err
}

type snapshotPlan struct {
	state   *State
	uid     func() string
	pending []kafka.TopicID
	weight  int
	out     Snapshot
	objects []Object
}

// keepOrAdd names page again when the topics in its range are the very ones that it holds.
func (p *snapshotPlan) keepOrAdd(page PageRef, in, was []kafka.TopicID, old *State) error {
	changed := func(id kafka.TopicID) bool { return p.state.topics[id] != old.topics[id] }
	if len(in) == 0 || !slices.Equal(in, was) || slices.ContainsFunc(in, changed) {
		return p.add(in)
	}
	if err := p.flush(); err != nil {
		return err
	}
	p.out.Pages = append(p.out.Pages, page)
	return nil
}

func (p *snapshotPlan) add(ids []kafka.TopicID) error {
	for _, id := range ids {
		n := len(p.state.topics[id].Partitions)
		if p.weight > 0 && p.weight+n > PagePartitionsMax {
			if err := p.flush(); err != nil {
				return err
			}
		}
		p.pending, p.weight = append(p.pending, id), p.weight+n
	}
	return nil
}

func (p *snapshotPlan) flush() error {
	if len(p.pending) == 0 {
		return nil
	}
	d := Delta{To: p.state.Changed}
	for _, id := range p.pending {
		td, _ := diffTopic(nil, p.state.topics[id])
		d.Topics = append(d.Topics, td)
	}
	first := p.pending[0]
	p.pending, p.weight = nil, 0
	return p.write(first, d)
}

func (p *snapshotPlan) write(first kafka.TopicID, d Delta) error {
	raw, err := EncodePage(d)
	if err != nil {
		return err
	}
	ref := PageRef{
		Name: NewObjectName(p.state.Version, p.uid()), First: first, Bytes: int64(len(raw)),
	}
	p.out.Pages = append(p.out.Pages, ref)
	p.objects = append(p.objects, Object{Key: ref.Key(), Bytes: raw})
	return nil
}

// withoutTopics is all of a state but its topics, as a delta from the empty one.
func (s *State) withoutTopics() Delta {
	bare := s.clone()
	bare.topics = nil
	d, _ := Diff(NewState(s.ClusterID), bare, s.Changed)
	return d
}

func (s *State) sortedIDs() []kafka.TopicID {
	return slices.SortedFunc(maps.Keys(s.topics), compareIDs)
}

// cut divides sorted ids at the first one that is not below `at`.
func cut(ids []kafka.TopicID, at kafka.TopicID) (below, rest []kafka.TopicID) {
	i, _ := slices.BinarySearchFunc(ids, at, compareIDs)
	return ids[:i], ids[i:]
}
