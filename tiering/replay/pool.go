package replay

import (
	"sync/atomic"
	"time"
)

// headroomBytes lies before a chunk's data, for the start of a batch that ends in it.
const headroomBytes = 1 << 20

// chunk is reused memory with a count of who still looks at it.
type chunk struct {
	pool *pool
	mem  []byte // headroom, then room for ChunkBytes
	refs atomic.Int32
}

// pool keeps a bounded number of chunks. Fresh memory is several times slower to touch than memory
// just used, so chunks are not left to the garbage collector (as a sync.Pool would).
type pool struct {
	bytes int
	users atomic.Int64 // open iterators
	spare chan *chunk
	made  atomic.Int64 // chunks, over the pool's life
}

func newPool(chunkBytes, spare int) *pool {
	return &pool{bytes: headroomBytes + chunkBytes, spare: make(chan *chunk, spare)}
}

// get gives a chunk with room for n bytes and one reference. More than ChunkBytes, which only
// objects with larger blocks need, is not kept.
func (p *pool) get(n int64) *chunk {
	var c *chunk
	if need := headroomBytes + int(n); need > p.bytes {
		c = &chunk{mem: make([]byte, need)}
		c.refs.Store(1)
		return c
	}
	select {
	case c = <-p.spare:
	default:
		c = &chunk{pool: p, mem: make([]byte, p.bytes)}
		p.made.Add(1)
	}
	c.refs.Store(1)
	return c
}

func (c *chunk) retain() { c.refs.Add(1) }

func (c *chunk) release() {
	switch n := c.refs.Add(-1); {
	case n < 0:
		panic("replay: chunk released more often than retained")
	case n == 0 && c.pool != nil:
		select {
		case c.pool.spare <- c:
		default:
		}
	}
}

// spareIdle is how long spare chunks outlive the last iterator.
const spareIdle = 10 * time.Second

// enter and leave count iterators; soon after the last one the spare chunks go.
func (p *pool) enter() { p.users.Add(1) }

func (p *pool) leave() {
	if p.users.Add(-1) > 0 {
		return
	}
	time.AfterFunc(spareIdle, func() {
		for p.users.Load() == 0 {
			select {
			case <-p.spare:
			default:
				return
			}
		}
	})
}
