package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	// lookaheadBytes are kept per connection for what was read beyond a frame.
	lookaheadBytes = 2 << 10
	// firstBytesMax is how much of a frame gets memory before any of it has arrived. A frame's
	// buffer doubles from there as its bytes come, so a peer holds no more than twice what it
	// sent.
	firstBytesMax = 1 << 20
)

// framer reads frames. It is used by the reading goroutine alone.
type framer struct {
	c          *conn
	look       [lookaheadBytes]byte
	head, tail int // look[head:tail] was read and not used
}

// buffered reports whether a whole frame was read already.
func (f *framer) buffered() bool {
	have := f.look[f.head:f.tail]
	return len(have) >= 4 && int64(len(have))-4 >= int64(int32(binary.BigEndian.Uint32(have)))
}

// next reads one frame into r.buf and returns it. io.EOF means that the peer closed between frames.
func (f *framer) next(r *Request) ([]byte, error) {
	if f.tail > f.head {
		f.c.frameSince.Store(f.c.s.now())
	}
	if err := f.need(4); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(f.look[f.head:])))
	if size < headerBytesMin || size > int(f.c.s.cfg.FrameBytesMax) {
		return nil, fmt.Errorf("%w: %d bytes", ErrFrameSize, size)
	}
	if err := f.need(4 + 2); err != nil {
		return nil, unexpected(err)
	}
	key := int16(binary.BigEndian.Uint16(f.look[f.head+4:]))
	api := f.c.s.apis.find(key)
	if api == nil {
		return nil, fmt.Errorf("%w: key %d", ErrUnsupported, key)
	}
	if api.BytesMax > 0 && size > int(api.BytesMax) {
		return nil, fmt.Errorf("%w: %s of %d bytes", ErrFrameSize, api.Name, size)
	}
	f.head += 4
	frame, err := f.body(r, size, api.Weight)
	return frame, unexpected(err)
}

// need reads until look holds n unused bytes.
func (f *framer) need(n int) error {
	if f.head == f.tail {
		f.head, f.tail = 0, 0
	} else if f.head+n > len(f.look) {
		f.tail = copy(f.look[:], f.look[f.head:f.tail])
		f.head = 0
	}
	for f.tail-f.head < n {
		m, err := f.c.nc.Read(f.look[f.tail:])
		if m > 0 && f.tail == f.head {
			f.c.frameSince.Store(f.c.s.now())
		}
		f.tail += m
		if err != nil && f.tail-f.head < n {
			if f.tail > f.head {
				return unexpected(err)
			}
			return err
		}
	}
	return nil
}

// body reads the size bytes of a frame, and what the socket holds beyond them into look.
func (f *framer) body(r *Request, size int, weight int64) ([]byte, error) {
	room := min(size, firstBytesMax)
	if err := f.grow(r, 0, room, weight); err != nil {
		return nil, err
	}
	n := copy(r.buf.b[:room], f.look[f.head:f.tail])
	f.head += n
	for n < size {
		if n == room {
			room = min(size, 2*room)
			if err := f.grow(r, n, room, weight); err != nil {
				return nil, err
			}
		}
		end := room
		if room == size { // the last read may take the beginning of the next frame with it
			end = min(size+lookaheadBytes, len(r.buf.b))
		}
		m, err := f.c.nc.Read(r.buf.b[n:end])
		n += m
		if err != nil && n < size {
			return nil, err
		}
	}
	if n > size {
		f.head, f.tail = 0, copy(f.look[:], r.buf.b[size:n])
	}
	return r.buf.b[:size:size], nil
}

// grow gives r a buffer of room bytes, keeping the first n.
func (f *framer) grow(r *Request, n, room int, weight int64) error {
	taken, ok := f.c.s.budget.acquire(int64(room)*weight, f.c.ctx.Done())
	if !ok {
		return net.ErrClosed
	}
	buf := newBuffer(room + lookaheadBytes)
	if r.buf != nil {
		copy(buf.b, r.buf.b[:n])
		r.FreeBody()
	}
	r.buf, r.charge = buf, taken
	return nil
}

// unexpected tells an end inside a frame from one between frames.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// now is the monotonic time in nanoseconds since the server was made, never 0.
func (s *Server) now() int64 { return int64(time.Since(s.epoch)) + 1 }
