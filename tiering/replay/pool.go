package replay

import "sync/atomic"

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
	spare chan *chunk
	made  atomic.Int64 // chunks, over the pool's life
}

func newPool(chunkBytes, spare int) *pool {
	return &pool{bytes: headroomBytes + chunkBytes, spare: make(chan *chunk, spare)}
}

// get gives a chunk with one reference.
func (p *pool) get() *chunk {
	var c *chunk
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
