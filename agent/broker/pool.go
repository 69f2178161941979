package broker

import (
	"math/bits"
	"sync"
)

// Buffers are pooled by powers of two from 4 KiB to 4 MiB; larger ones are left to the garbage
// collector. Memory touched before is many times cheaper than fresh memory.
const (
	classBitsMin = 12
	classBitsMax = 22
)

var pools [classBitsMax - classBitsMin + 1]sync.Pool

// buffer is pooled memory.
type buffer struct {
	b     []byte
	class int // index in pools, or -1
}

// newBuffer gives a buffer of at least n bytes, with len(b) its whole capacity.
func newBuffer(n int) *buffer {
	class := 0
	if n > 1<<classBitsMin {
		class = bits.Len(uint(n-1)) - classBitsMin
	}
	if class >= len(pools) {
		return &buffer{b: make([]byte, n), class: -1}
	}
	if b, ok := pools[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, 1<<(class+classBitsMin)), class: class}
}

// free gives the buffer back; its bytes must not be used any more.
func (b *buffer) free() {
	if b.class >= 0 {
		pools[b.class].Put(b)
	}
}
