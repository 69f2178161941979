package assignor

import (
	"cmp"
	"slices"
)

// passes bounds the rounds over all topics. Where subscriptions overlap only in part, each round about
// halves what is out of balance.
const passes = 16

// balance moves partitions from loaded subscribers to others until no topic's subscribers differ by more
// than one, or for passes rounds.
func (p *plan) balance() {
	var order []int
	for _, t := range p.byDemand() {
		if len(p.subscribers[t]) > 1 {
			order = append(order, t)
		}
	}
	last := -1 // the topic that moved last: a whole round without a move ends it
	for range passes {
		for i, t := range order {
			if i == last {
				return
			}
			if p.balanceTopic(t) || last < 0 {
				last = i
			}
		}
	}
}

// balanceTopic evens out the sizes of a topic's subscribers as far as this topic's partitions allow. It
// reports whether any moved.
func (p *plan) balanceTopic(t int) bool {
	b := newBalance(p.sizes, p.subscribers[t])
	if b.spread() <= 1 {
		return false
	}
	held := map[int][]partition{}
	for i, owner := range p.owners[t] {
		held[owner] = append(held[owner], partition{t, int32(i)})
	}
	moved := false
	for {
		from := b.nextHigh()
		for from != nobody && len(held[from]) == 0 {
			b.exclude()
			from = b.nextHigh()
		}
		if from == nobody {
			return moved
		}
		to := b.nextLow()
		if b.even() {
			return moved
		}
		last := len(held[from]) - 1
		p.give(held[from][last], to)
		held[from] = held[from][:last]
		moved = true
	}
}

// balance walks a topic's subscribers from both ends. Members by size, ascending:
//
//	          ┌ high: [highStart, highEnd)
//	     ▁▁▁██│██  behind highEnd: members with nothing to give
//	▁▁▁▁▁█████│██
//	low: [0, lowEnd)
//
// The low range is filled to a level before that level rises by one and whoever is at it joins; the high
// range sinks likewise. They met when the levels differ by one at most.
type balance struct {
	sizes  []int
	sorted []int

	lowEnd, lowLevel, lowNext               int
	highStart, highEnd, highLevel, highNext int
}

// newBalance begins with members, at least one, by their sizes; sizes go on changing outside.
func newBalance(sizes, members []int) *balance {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b int) int {
		return cmp.Or(cmp.Compare(sizes[a], sizes[b]), cmp.Compare(a, b))
	})
	n := len(sorted)
	return &balance{
		sizes: sizes, sorted: sorted,
		lowLevel:  sizes[sorted[0]] - 1,
		highStart: n, highEnd: n, highLevel: sizes[sorted[n-1]] + 1, highNext: n - 1,
	}
}

// spread is how far the largest and the smallest differ.
func (b *balance) spread() int { return b.sizes[b.sorted[len(b.sorted)-1]] - b.sizes[b.sorted[0]] }

// nextLow is the member to give a partition to.
func (b *balance) nextLow() int {
	if b.lowNext >= b.lowEnd {
		b.lowLevel++
		for b.lowEnd < len(b.sorted) && b.sizes[b.sorted[b.lowEnd]] == b.lowLevel {
			b.lowEnd++
		}
		b.lowNext = 0
	}
	b.lowNext++
	return b.sorted[b.lowNext-1]
}

// nextHigh is the member to take a partition from, or nobody. Who has none is to be excluded.
func (b *balance) nextHigh() int {
	if b.highNext < b.highStart {
		if b.highEnd <= b.highStart && b.highStart > 0 {
			// All of the range were excluded: go on at the level of the next member, however low.
			b.highLevel = b.sizes[b.sorted[b.highStart-1]]
		} else {
			b.highLevel--
		}
		for b.highStart > 0 && b.sizes[b.sorted[b.highStart-1]] == b.highLevel {
			b.highStart--
		}
		b.highNext = b.highEnd - 1
	}
	if b.highNext < 0 {
		return nobody
	}
	b.highNext--
	return b.sorted[b.highNext+1]
}

// exclude drops the member that nextHigh gave last.
func (b *balance) exclude() {
	at := b.highNext + 1
	b.highEnd--
	b.sorted[at], b.sorted[b.highEnd] = b.sorted[b.highEnd], b.sorted[at]
}

// even reports whether the levels met.
func (b *balance) even() bool { return b.highLevel-b.lowLevel <= 1 }
