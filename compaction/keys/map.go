package keys

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/varve-log/varve/kafka"
)

// slotBytes is what one key takes: a hash of 16 bytes and an offset, as in Kafka.
const slotBytes = 24

// Sizes of a Map's table, in slots.
const (
	slotsFirst = 1 << 10
	slotsMin   = 16
)

// Map remembers the last offset of each key. Keys are known by 128 bits of their SHA-256, so two
// keys are never taken for one. It grows as it fills, up to its bound, and holds half as much again
// while it does.
type Map struct {
	slots    []slot
	used     int
	slotsMax int
	load     float64
	end      kafka.Offset
}

// slot is free while next is 0. next is the offset after the key's last record.
type slot struct {
	high, low uint64
	next      int64
}

// NewMap makes a map of at most bytesMax bytes, of which load, above 0 and below 1, may be filled
// (log.cleaner.io.buffer.load.factor, 0.9). 24 bytes a key; room for a few keys is the least.
func NewMap(bytesMax int64, load float64) *Map {
	most := max(bytesMax/slotBytes, slotsMin)
	return &Map{
		slots: make([]slot, min(most, slotsFirst)), slotsMax: int(most),
		load: min(max(load, 0.1), 0.99),
	}
}

// Clear forgets all keys and keeps the memory.
func (m *Map) Clear() {
	clear(m.slots)
	m.used, m.end = 0, 0
}

// Len is the number of keys.
func (m *Map) Len() int { return m.used }

// Bytes is the memory that the table takes.
func (m *Map) Bytes() int64 { return int64(len(m.slots)) * slotBytes }

// Utilization is the part of the bound that is filled, 0 to 1.
func (m *Map) Utilization() float64 { return float64(m.used) / float64(m.slotsMax) }

// End is how far the map reaches: it knows the keys of all records below, and of some above.
func (m *Map) End() kafka.Offset { return m.end }

// Reach says that the map knows all keys below next. A lower one changes nothing.
func (m *Map) Reach(next kafka.Offset) { m.end = max(m.end, next) }

// Put notes a record. False says that the key is new and there is no room.
func (m *Map) Put(key []byte, o kafka.Offset) bool {
	high, low := digest(key)
	at := m.find(high, low)
	if m.slots[at].next == 0 {
		if m.used >= m.room(len(m.slots)) {
			if !m.grow() {
				return false
			}
			at = m.find(high, low)
		}
		m.used++
	}
	m.slots[at] = slot{high: high, low: low, next: int64(o) + 1}
	return true
}

// Get is the offset of the key's last record; false when the map does not know the key.
func (m *Map) Get(key []byte) (kafka.Offset, bool) {
	s := &m.slots[m.find(digest(key))]
	return kafka.Offset(s.next - 1), s.next != 0
}

func (m *Map) room(slots int) int { return max(1, int(float64(slots)*m.load)) }

// find gives the key's slot, or the free one where it belongs. One is free always, since load is
// below 1.
func (m *Map) find(high, low uint64) int {
	n := uint64(len(m.slots))
	for at := high % n; ; at++ {
		if at == n {
			at = 0
		}
		if s := &m.slots[at]; s.next == 0 || s.high == high && s.low == low {
			return int(at)
		}
	}
}

// grow doubles the table, or reports that it is as large as it may be.
func (m *Map) grow() bool {
	size := min(2*len(m.slots), m.slotsMax)
	if size == len(m.slots) {
		return false
	}
	old := m.slots
	m.slots = make([]slot, size)
	for i := range old {
		if old[i].next != 0 {
			m.slots[m.find(old[i].high, old[i].low)] = old[i]
		}
	}
	return true
}

func digest(key []byte) (high, low uint64) {
	sum := sha256.Sum256(key)
	return binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])
}
