package cache

// slots is the bookkeeping of the file's fixed slots and their CLOCK. It does no I/O and is guarded
// by the Cache's mutex. A slot is free, being written, or published; only a published one with no
// pins can be evicted.
type slots struct {
	all   []slot
	byID  map[blockID]int
	hand  int
	fresh int // slots never used yet begin here
}

type slot struct {
	id      blockID
	length  int
	sums    []uint32
	pins    int
	used    bool // since the hand last passed
	writing bool
	dropped bool // to be freed with the last pin
}

func newSlots(count int) slots {
	return slots{all: make([]slot, count), byID: make(map[blockID]int, count)}
}

// take reserves a slot for a block, evicting one if needed, and tells the bytes evicted. It fails
// when the block has a slot already, or when every slot is pinned or being written.
func (s *slots) take(id blockID) (index, evicted int, ok bool) {
	if _, exists := s.byID[id]; exists {
		return 0, 0, false
	}
	if s.fresh < len(s.all) {
		index = s.fresh
		s.fresh++
		s.all[index] = slot{id: id, writing: true}
		return index, 0, true
	}
	for range 2 * len(s.all) {
		index = s.hand
		s.hand = (s.hand + 1) % len(s.all)
		e := &s.all[index]
		switch {
		case e.writing || e.pins > 0:
		case e.used:
			e.used = false
		default:
			if s.byID[e.id] == index {
				delete(s.byID, e.id)
			}
			evicted = e.length
			s.all[index] = slot{id: id, writing: true}
			return index, evicted, true
		}
	}
	return 0, 0, false
}

// publish makes a written slot readable. Only a read gives it its second chance, so that what was
// read once goes before what is read again.
// False: the block was published in another slot meanwhile.
func (s *slots) publish(index, length int, sums []uint32) bool {
	e := &s.all[index]
	if _, exists := s.byID[e.id]; exists {
		return false
	}
	e.length, e.sums, e.writing = length, sums, false
	s.byID[e.id] = index
	return true
}

// abandon frees a slot whose write failed.
func (s *slots) abandon(index int) { s.all[index] = slot{} }

// pin finds a published block and keeps it from eviction.
func (s *slots) pin(id blockID) (index, length int, sums []uint32, ok bool) {
	index, ok = s.byID[id]
	if !ok {
		return 0, 0, nil, false
	}
	e := &s.all[index]
	e.pins++
	e.used = true
	return index, e.length, e.sums, true
}

// unpin lets a block go, dropping it if it was found bad, and tells the bytes dropped.
func (s *slots) unpin(index int, drop bool) (dropped int) {
	e := &s.all[index]
	e.pins--
	if drop && !e.dropped {
		e.dropped = true
		delete(s.byID, e.id)
	}
	if e.dropped && e.pins == 0 {
		dropped = e.length
		s.all[index] = slot{}
	}
	return dropped
}

// forget drops every published block of an object; what is pinned goes with its last pin.
func (s *slots) forget(key string) (dropped int) {
	for id, index := range s.byID {
		if id.key == key {
			s.all[index].pins++
			dropped += s.unpin(index, true)
		}
	}
	return dropped
}
