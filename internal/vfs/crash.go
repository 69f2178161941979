package vfs

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

// CrashClone is one of the disks that a power loss may leave: what was synced is there; every name
// that changed since its directory was synced may be the old or the new one; every page of a file
// that changed since it was synced may hold the old bytes, the new ones, or a mix. The seed
// chooses; equal seeds on equal file systems choose alike. Everything on the clone counts as
// synced.
func (m *Mem) CrashClone(seed uint64) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	c := m.cloneLocked()
	luck := r.Float64() // some power losses keep nearly all, some nearly nothing
	names := slices.Collect(maps.Keys(c.files))
	for name := range c.durable {
		if c.files[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	after := map[string]*memNode{}
	for _, name := range names {
		n := c.durable[name]
		if c.files[name] != n && r.Float64() < luck {
			n = c.files[name]
		}
		if n != nil {
			after[name] = n
		}
	}
	torn := map[*memNode]bool{}
	for _, name := range names {
		if n := after[name]; n != nil && !torn[n] {
			torn[n] = true
			tear(n, r, luck)
		}
	}
	c.files, c.durable = after, maps.Clone(after)
	return c
}

// tear decides page by page what a power loss keeps of a file's writes.
func tear(n *memNode, r *rand.Rand, luck float64) {
	if bytes.Equal(n.data, n.synced) {
		n.synced = slices.Clone(n.data)
		return
	}
	size := len(n.synced)
	if r.Float64() < luck {
		size = len(n.data)
	} else if grown := len(n.data) - size; grown > 0 {
		size += r.IntN(grown)
	}
	out := make([]byte, size)
	copy(out, n.synced)
	for at := 0; at < size; at += pageSize {
		end := min(at+pageSize, size)
		if at >= len(n.data) || r.Float64() >= luck {
			continue
		}
		if r.IntN(8) == 0 && end-at > 1 { // the page itself is torn
			end = at + r.IntN(end-at)
		}
		copy(out[at:end], n.data[at:])
	}
	n.data, n.synced = out, slices.Clone(out)
}
